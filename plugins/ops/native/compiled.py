"""Compiles the kernels once for this machine, caches the library, and loads it."""

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

from foveate.plugins.cache import cache_folder

SOURCES = Path(__file__).parent
FLAGS = ("-O3", "-march=native", "-std=c++17", "-shared", "-fPIC", "-fopenmp", "-Wno-psabi")
COMPILERS = ("c++", "g++", "clang++")
PATIENCE = 120  # seconds after which the compiler is stopped; a few are usual
SWITCH = "FOVEATE_NATIVE"

DTYPES = {torch.float32: "float", torch.bfloat16: "bfloat16"}
LANES = 8  # least number of channels for which a kernel is faster

log = logging.getLogger(__name__)


class CompilationError(OSError):
    """The compiler does not produce a library that loads; stored, so that other processes do not try again."""


@cache
def kernels() -> ctypes.CDLL | None:
    """The compiled kernels; None if they are switched off or not available.

    The reason of a failure is logged as a warning and stored beside the library (see `_failure_of`). Later processes
    with the same sources, compiler and processor do not try again.
    """
    if os.environ.get(SWITCH, "1") == "0" or os.name == "nt":
        return None
    try:
        return _load()
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


def _load() -> ctypes.CDLL:
    """The library for these sources, this compiler and this processor; compiled if it is not in the cache.

    Raises:
        OSError: There is no compiler, the cache is not writable, or the compiler failed, now or before.
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
    """The file with the reason why a library could not be compiled."""
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
        raise CompilationError(f"the compiled library does not load: {error}") from error


def _compile(compiler: str, target: Path) -> None:
    """Compile in a temporary folder and then rename, since several processes may compile at once or be killed.

    Raises:
        CompilationError: The compiler fails or takes too long.
        OSError: The cache is not writable.
    """
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        made = Path(folder, target.name)
        sources = sorted(str(path) for path in SOURCES.glob("*.cpp"))
        words = [compiler, *FLAGS, "-o", str(made), *sources]
        log.warning("compiling the CPU kernels for this machine, once: about 15 seconds")
        try:
            done = subprocess.run(words, capture_output=True, text=True, errors="replace", timeout=PATIENCE)
        except (OSError, subprocess.SubprocessError) as error:
            raise CompilationError(f"{compiler}: {error}") from error
        if done.returncode or not made.is_file():
            said = " ".join(done.stderr.split())[-500:] or f"exit status {done.returncode}"
            raise CompilationError(f"{compiler}: {said}")
        os.replace(made, target)


def _fingerprint(compiler: str) -> str:
    """Hash of flags, sources, compiler and processor, since machines with different processors may share a cache."""
    stat = os.stat(compiler)  # an updated compiler may give other results
    words = (*FLAGS, compiler, str(stat.st_size), str(stat.st_mtime_ns), platform.machine(), _processor())
    digest = hashlib.sha256(" ".join(words).encode())
    for path in sorted((*SOURCES.glob("*.cpp"), *SOURCES.glob("*.h"))):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:20]


def _processor() -> str:
    """The processor's instruction sets as listed by the system, or its name if they are not listed."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line for line in lines if line.startswith(("flags", "Features"))), "")
