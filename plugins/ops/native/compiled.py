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


@cache
def kernels() -> ctypes.CDLL | None:
    """The compiled kernels; None where they are switched off or cannot be had, which is said once in the log."""
    if os.environ.get(SWITCH, "1") == "0" or os.name == "nt":
        return None
    try:
        return ctypes.CDLL(str(_compiled()))
    except (OSError, RuntimeError, subprocess.SubprocessError) as error:  # RuntimeError: a user without a home
        log.info("the CPU kernels could not be compiled, the plain ones are used: %s", error)
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
    """Run a kernel: sizes first, then tensors by where they lie (None is null) and numbers."""
    library = kernels()
    assert library is not None
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


def _compiled() -> Path:
    """The library for these sources, this compiler and this processor; made if it is not there.

    Raises:
        OSError: There is no compiler, or nowhere to write.
        SubprocessError: The compiler fails or takes too long.
    """
    compiler = next((found for name in COMPILERS if (found := shutil.which(name))), None)
    if compiler is None:
        raise FileNotFoundError(f"no C++ compiler ({', '.join(COMPILERS)})")
    target = cache_folder() / f"kernels-{_fingerprint(compiler)}.so"
    if not target.is_file():
        _compile(compiler, target)
    return target


def _compile(compiler: str, target: Path) -> None:
    """Into a folder of its own first: several processes may do it at once, and one may be killed."""
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        made = Path(folder, target.name)
        sources = sorted(str(path) for path in SOURCES.glob("*.cpp"))
        words = [compiler, *FLAGS, "-o", str(made), *sources]
        log.warning("compiling the CPU kernels for this machine, once: some 15 seconds")
        done = subprocess.run(words, capture_output=True, text=True, timeout=PATIENCE)
        if done.returncode:
            raise OSError(f"{' '.join(words)}: {done.stderr[-500:]}")
        os.replace(made, target)


def _fingerprint(compiler: str) -> str:
    """A cache may be shared by machines with different processors, so theirs counts."""
    digest = hashlib.sha256(" ".join((*FLAGS, compiler, platform.machine(), _processor())).encode())
    for path in sorted((*SOURCES.glob("*.cpp"), *SOURCES.glob("*.h"))):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:20]


def _processor() -> str:
    """What the processor can do, as the system tells it; its name where the system does not."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line for line in lines if line.startswith(("flags", "Features"))), "")
