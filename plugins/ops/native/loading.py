"""Compiles C++ once for this machine, caches the library, and loads it; needs no torch."""

from __future__ import annotations

import ctypes
import hashlib
import logging
import os
import platform
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from foveate.plugins.cache import cache_folder

FLAGS = ("-O3", "-march=native", "-std=c++17", "-shared", "-fPIC")
COMPILERS = ("c++", "g++", "clang++")
PATIENCE = 120  # seconds after which the compiler is stopped; a few are usual
SWITCH = "FOVEATE_NATIVE"

log = logging.getLogger(__name__)
_one_at_a_time = threading.Lock()
_answers: dict[Library, ctypes.CDLL | None] = {}


class CompilationError(OSError):
    """The compiler does not produce a library that loads; stored, so that other processes do not try again."""


@dataclass(frozen=True, kw_only=True)
class Library:
    """What is compiled.

    Attributes:
        name: Of the file in the cache.
        sources: The C++ files that are compiled.
        headers: The files that they include.
        what: What it is, for messages.
        instead: What is used where it cannot be compiled, for messages.
        seconds: How long the compiler usually takes, for messages.
        flags: Of the compiler.
        compilers: Names of compilers, of which the first that is found is taken.
    """

    name: str
    sources: tuple[Path, ...]
    headers: tuple[Path, ...] = ()
    what: str
    instead: str
    seconds: int
    flags: Sequence[str] = FLAGS
    compilers: Sequence[str] = COMPILERS


def is_switched_off() -> bool:
    """Whether nothing is to be compiled or loaded: FOVEATE_NATIVE=0, or Windows."""
    return os.environ.get(SWITCH, "1") == "0" or os.name == "nt"


def load_optional(library: Library) -> ctypes.CDLL | None:
    """The library, compiled if nobody has yet; None where it is switched off or not available, so that others are used.

    The answer is kept for the process. Threads wait for the one that compiles; afterwards there is no lock, which a
    process that is forked meanwhile would find taken for ever.

    Args:
        library: What is loaded.
    """
    if library not in _answers:
        with _one_at_a_time:
            if library not in _answers:
                _answers[library] = _attempt(library)
    return _answers[library]


def _attempt(library: Library) -> ctypes.CDLL | None:
    if is_switched_off():
        return None
    try:
        return load(library)
    except (OSError, RuntimeError) as error:  # RuntimeError: the user has no home folder
        log.info("%s is not used, %s: %s", library.what, library.instead, error)
        return None


def why_not(library: Library) -> str:
    """Why a library is not used; empty if it is. Compiles it if nobody has yet.

    Args:
        library: What is loaded.
    """
    if is_switched_off():
        return f"switched off by {SWITCH}=0, or not supported by this system"
    try:
        load(library)
    except (OSError, RuntimeError) as error:
        return " ".join(str(error).split())
    return ""


def load(library: Library) -> ctypes.CDLL:
    """The library for these sources, this compiler and this processor; compiled if it is not in the cache.

    Args:
        library: What is loaded.

    Raises:
        OSError: There is no compiler, the cache is not writable, or the compiler failed, now or before.
        RuntimeError: The user has no home folder.
    """
    compiler = next((found for name in library.compilers if (found := shutil.which(name))), None)
    if compiler is None:
        raise FileNotFoundError(f"no C++ compiler ({', '.join(library.compilers)})")
    target = cache_folder() / f"{library.name}-{_fingerprint(library, compiler)}.so"
    failure = _failure_of(target)
    if failure.is_file():
        raise CompilationError(f"{failure.read_text(encoding='utf-8')} (delete {failure} to try again)")
    try:
        if not target.is_file():
            _compile(library, compiler, target)
        return _opened(target)
    except CompilationError as error:
        _keep(library, error, failure)
        raise


def _failure_of(target: Path) -> Path:
    """The file with the reason why a library could not be compiled."""
    return target.with_suffix(".failed")


def _keep(library: Library, error: CompilationError, failure: Path) -> None:
    log.warning(
        "%s could not be compiled, %s used: %s (delete %s to try again)", library.what, library.instead, error, failure
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


def _compile(library: Library, compiler: str, target: Path) -> None:
    """Compile in a temporary folder and then rename, since several processes may compile at once or be killed.

    Raises:
        CompilationError: The compiler fails or takes too long.
        OSError: The cache is not writable.
    """
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        made = Path(folder, target.name)
        words = [compiler, *library.flags, "-o", str(made), *map(str, library.sources)]
        log.warning("compiling %s for this machine, once: about %d seconds", library.what, library.seconds)
        try:
            done = subprocess.run(words, capture_output=True, text=True, errors="replace", timeout=PATIENCE)
        except (OSError, subprocess.SubprocessError) as error:
            raise CompilationError(f"{compiler}: {error}") from error
        if done.returncode or not made.is_file():
            said = " ".join(done.stderr.split())[-500:] or f"exit status {done.returncode}"
            raise CompilationError(f"{compiler}: {said}")
        os.replace(made, target)


def _fingerprint(library: Library, compiler: str) -> str:
    """Hash of flags, sources, compiler and processor, since machines with different processors may share a cache."""
    stat = os.stat(compiler)  # an updated compiler may give other results
    words = (*library.flags, compiler, str(stat.st_size), str(stat.st_mtime_ns), platform.machine(), _processor())
    digest = hashlib.sha256(" ".join(words).encode())
    for path in sorted((*library.sources, *library.headers)):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:20]


def _processor() -> str:
    """The processor's instruction sets as listed by the system, or its name if they are not listed."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line for line in lines if line.startswith(("flags", "Features"))), "")
