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
from functools import cache
from pathlib import Path

SOURCES = Path(__file__).parent
FLAGS = ("-O3", "-march=native", "-std=c++17", "-shared", "-fPIC", "-fopenmp", "-Wno-psabi")
COMPILERS = ("c++", "g++", "clang++")
PATIENCE = 120  # seconds that a compiler may take; a few are usual
SWITCH = "FOVEATE_NATIVE"

log = logging.getLogger(__name__)


@cache
def kernels() -> ctypes.CDLL | None:
    """The compiled kernels; None where they are switched off or cannot be had, which is said once in the log."""
    if os.environ.get(SWITCH, "1") == "0" or os.name == "nt":
        return None
    try:
        return ctypes.CDLL(str(_compiled()))
    except (OSError, subprocess.SubprocessError) as error:
        log.info("the CPU kernels could not be compiled, the plain ones are used: %s", error)
        return None


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
