"""Compiles the kernels once for this machine, keeps the result, and loads it."""

from __future__ import annotations

import ctypes
import hashlib
import logging
import os
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

SOURCES = Path(__file__).parent
FLAGS = ("-O3", "-march=native", "-std=c++17", "-shared", "-fPIC", "-fopenmp", "-Wno-psabi")
COMPILERS = ("c++", "g++", "clang++")
PATIENCE = 120  # seconds that a compiler may take; a few are usual
SWITCH = "FOVEATE_NATIVE"

DTYPES = {torch.float32: "float", torch.bfloat16: "bfloat16"}
LANES = 8  # channels that lie together and are worth a kernel's while

log = logging.getLogger(__name__)


class CompilationError(OSError):
    """The compiler does not make a library that loads; that is kept, so that it is not tried by every process."""


@cache
def kernels() -> ctypes.CDLL | None:
    """The compiled kernels; None where they are switched off or cannot be had.

    A failure is kept beside where the kernels would be (see `_failure_of`), with a warning that holds its reason. Later
    processes with the same sources, compiler and processor do not try again.
    """
    if os.environ.get(SWITCH, "1") == "0" or os.name == "nt":
        return None
    try:
        return _load()
    except (OSError, RuntimeError) as error:  # RuntimeError: a user without a home
        log.info("the CPU kernels are not used, PyTorch's own operators are: %s", error)
        return None


def takes(x: Float[Tensor, "B C H W"]) -> bool:
    """Whether the kernels are there, and take such a map: on the CPU, channels_last, bfloat16 or float32."""
    return (
        x.device.type == "cpu"
        and x.dtype in DTYPES
        and x.shape[1] % LANES == 0
        and x.numel() > 0
        and x.is_contiguous(memory_format=torch.channels_last)
        and kernels() is not None
    )


def call(name: str, sizes: Sequence[int], *given: Tensor | float | None) -> None:
    """Run a kernel with as many threads as PyTorch's operators would take here.

    The library has an OpenMP of its own, which knows nothing of `torch.set_num_threads`.

    Args:
        name: Of the function.
        sizes: Its first argument.
        given: Tensors, passed by their address (None is null), and numbers.
    """
    library = kernels()
    assert library is not None
    library.use_threads(ctypes.c_int(torch.get_num_threads()))
    function = getattr(library, name)
    function.restype = None
    function((ctypes.c_long * len(sizes))(*sizes), *map(_argument, given))


def _argument(given: Tensor | float | None) -> object:
    if isinstance(given, Tensor):
        return ctypes.c_void_p(given.data_ptr())
    if given is None:
        return ctypes.c_void_p(None)
    return ctypes.c_float(given) if isinstance(given, float) else ctypes.c_int(given)


def cache_folder() -> Path:
    """Where compiled kernels are kept: foveate/ in the user's cache folder (XDG_CACHE_HOME)."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "foveate"


def _load() -> ctypes.CDLL:
    """The library for these sources, this compiler and this processor; compiled if it is not there.

    Raises:
        OSError: There is no compiler, nowhere to write, or the compiler failed, now or before.
    """
    compiler = next((found for name in COMPILERS if (found := shutil.which(name))), None)
    if compiler is None:
        raise FileNotFoundError(f"no C++ compiler ({', '.join(COMPILERS)})")
    target = cache_folder() / f"kernels-{_fingerprint(compiler)}.so"
    failure = _failure_of(target)
    if failure.is_file():
        raise CompilationError(f"{failure.read_text(encoding='utf-8')} (delete {failure} to try again)")
    try:
        if not target.is_file():
            _compile(compiler, target)
        return _opened(target)
    except CompilationError as error:
        _keep(error, failure)
        raise


def _failure_of(target: Path) -> Path:
    """Where the reason is kept for which a library could not be made."""
    return target.with_suffix(".failed")


def _keep(error: CompilationError, failure: Path) -> None:
    log.warning(
        "the CPU kernels could not be compiled, PyTorch's own operators are used: %s (delete %s to try again)",
        error,
        failure,
    )
    with tempfile.TemporaryDirectory(dir=failure.parent) as folder:
        draft = Path(folder, failure.name)
        draft.write_text(str(error), encoding="utf-8")
        os.replace(draft, failure)


def _opened(target: Path) -> ctypes.CDLL:
    try:
        return ctypes.CDLL(str(target))
    except OSError as error:
        raise CompilationError(f"what was compiled does not load: {error}") from error


def _compile(compiler: str, target: Path) -> None:
    """Compile into a new folder first: several processes may do it at once, and one may be killed.

    Raises:
        CompilationError: The compiler fails or takes too long.
        OSError: There is nowhere to write.
    """
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        made = Path(folder, target.name)
        sources = sorted(str(path) for path in SOURCES.glob("*.cpp"))
        words = [compiler, *FLAGS, "-o", str(made), *sources]
        log.warning("compiling the CPU kernels for this machine, once: some 15 seconds")
        try:
            done = subprocess.run(words, capture_output=True, text=True, errors="replace", timeout=PATIENCE)
        except (OSError, subprocess.SubprocessError) as error:
            raise CompilationError(f"{compiler}: {error}") from error
        if done.returncode or not made.is_file():
            said = " ".join(done.stderr.split())[-500:] or f"exit status {done.returncode}"
            raise CompilationError(f"{compiler}: {said}")
        os.replace(made, target)


def _fingerprint(compiler: str) -> str:
    """Of flags, sources, compiler and processor: a cache may be shared by machines with different processors."""
    stat = os.stat(compiler)  # a compiler that was replaced may do better
    words = (*FLAGS, compiler, str(stat.st_size), str(stat.st_mtime_ns), platform.machine(), _processor())
    digest = hashlib.sha256(" ".join(words).encode())
    for path in sorted((*SOURCES.glob("*.cpp"), *SOURCES.glob("*.h"))):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:20]


def _processor() -> str:
    """The processor's instruction sets, as the system lists them; its name where the system does not."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line for line in lines if line.startswith(("flags", "Features"))), "")
