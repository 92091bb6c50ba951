"""Costs of a network: parameters, multiply-adds and memory."""

from __future__ import annotations

import multiprocessing
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn

from foveate.plugins.ops import counting

CLEAR = Path("/proc/self/clear_refs")
STATUS = Path("/proc/self/status")


def count_parameters(network: nn.Module) -> int:
    """Number of trainable parameters."""
    return sum(parameter.numel() for parameter in network.parameters() if parameter.requires_grad)


def count_macs(network: nn.Module, image: Float[Tensor, "B C H W"]) -> int:
    """Multiply-adds for the first of the normalised images, in evaluation (see `plugins.ops.counting`)."""
    return counting.count_macs(network, image[:1])


def added_memory(work: Callable[[], object]) -> int:
    """Peak memory in bytes of a function, minus the memory in use before; to be run in a fresh process.

    On a GPU this is the memory of PyTorch's allocator, else the resident memory of the process.

    Raises:
        OSError: The system does not report the memory of a process (Windows).
    """
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        work()
        return torch.cuda.max_memory_allocated() - before
    before = _forget_peak()
    work()
    return max(0, _peak() - before)


def _forget_peak() -> int:
    """Reset the peak memory where the system allows that, and return the memory in use, in bytes."""
    try:
        CLEAR.write_text("5")
        return _status("VmRSS")
    except OSError:
        return _peak()


def _peak() -> int:
    if STATUS.is_file():
        return _status("VmHWM")
    try:
        import resource  # POSIX only
    except ImportError as error:
        raise OSError("this system does not report the peak memory of a process") from error
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _status(field: str) -> int:
    line = next(line for line in STATUS.read_text().splitlines() if line.startswith(f"{field}:"))
    return int(line.split()[1]) * 1024


@contextmanager
def _hidden_main() -> Iterator[None]:
    """Hide which script is running: a new process would run it again, as far as it has no guard against that."""
    names = vars(sys.modules["__main__"])
    kept: dict[str, object] = {name: names[name] for name in ("__file__", "__spec__") if name in names}
    names.pop("__file__", None)
    names["__spec__"] = None
    try:
        yield
    finally:
        names.update(kept)


def in_fresh_process(work: Callable[..., int], *arguments: object) -> int | None:
    """The result of a function of a module that runs in a new process; None if that process fails."""
    with _hidden_main(), ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        try:
            return pool.submit(work, *arguments).result()
        except (BrokenProcessPool, RuntimeError, OSError, MemoryError):
            return None
