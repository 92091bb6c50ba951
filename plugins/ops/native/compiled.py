"""Compiles the kernels once for this machine, caches the library, and loads it."""

from __future__ import annotations

import ctypes
import logging
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from foveate.plugins.ops.native import loading
from foveate.plugins.ops.native.loading import COMPILERS, Library, is_switched_off, load
from foveate.plugins.ops.native.loading import SWITCH as SWITCH

SOURCES = Path(__file__).parent
FLAGS = (*loading.FLAGS, "-fopenmp", "-Wno-psabi")
DTYPES = {torch.float32: "float", torch.bfloat16: "bfloat16"}
LANES = 8  # least number of channels for which a kernel is faster
KERNELS = Library(
    name="kernels",
    sources=tuple(sorted(SOURCES.glob("*.cpp"))),
    headers=tuple(sorted(SOURCES.glob("*.h"))),
    what="the CPU kernels",
    instead="PyTorch's own operators are",
    seconds=15,
    flags=FLAGS,
    compilers=COMPILERS,
)

log = logging.getLogger(__name__)


@cache
def kernels() -> ctypes.CDLL | None:
    """The compiled kernels; None if they are switched off or not available.

    The reason of a failure is logged as a warning and stored beside the library (see `loading`). Later processes
    with the same sources, compiler and processor do not try again.
    """
    if is_switched_off():
        return None
    try:
        return load(KERNELS)
    except (OSError, RuntimeError) as error:  # RuntimeError: the user has no home folder
        log.info("the CPU kernels are not used, PyTorch's own operators are: %s", error)
        return None


def takes(x: Float[Tensor, "B C H W"]) -> bool:
    """Whether the kernels are available and support this feature map: CPU, channels_last, bfloat16 or float32."""
    return (
        x.device.type == "cpu"
        and x.dtype in DTYPES
        and x.shape[1] % LANES == 0
        and x.numel() > 0
        and x.is_contiguous(memory_format=torch.channels_last)
        and kernels() is not None
    )


def call(name: str, sizes: Sequence[int], *given: Tensor | float | None) -> None:
    """Run a kernel with as many threads as PyTorch's operators use.

    The library has its own OpenMP runtime, on which `torch.set_num_threads` has no effect.

    Args:
        name: Name of the function in the library.
        sizes: Its first argument, an array of integers.
        given: Its other arguments: tensors, passed as pointers (None is a null pointer), and numbers.
    """
    loaded = kernels()
    assert loaded is not None
    loaded.use_threads(ctypes.c_int(torch.get_num_threads()))
    function = getattr(loaded, name)
    function.restype = None
    function((ctypes.c_long * len(sizes))(*sizes), *map(_argument, given))


def _argument(given: Tensor | float | None) -> object:
    if isinstance(given, Tensor):
        return ctypes.c_void_p(given.data_ptr())
    if given is None:
        return ctypes.c_void_p(None)
    return ctypes.c_float(given) if isinstance(given, float) else ctypes.c_int(given)
