"""A lock that several processes respect."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Wait until no other process holds the lock. The lock ends with the process, even a killed one.

    Without locks (Windows, some file systems) two processes may be inside at once.

    Args:
        path: The lock's file; its folder exists.

    Raises:
        OSError: The file cannot be written.
    """
    with path.open("w") as file:
        _take(file, wait=True)
        yield


@contextmanager
def claimed(path: Path) -> Iterator[bool]:
    """Whether this process alone holds the lock; there is no waiting. Its file is removed afterwards.

    Without locks (Windows, some file systems) every process is told that it does.

    Args:
        path: The lock's file; its folder exists.

    Raises:
        OSError: The file cannot be written.
    """
    with path.open("w") as file:
        ours = _take(file, wait=False)
        try:
            yield ours
        finally:
            with suppress(OSError):  # Windows removes no open file
                if ours:
                    path.unlink()


def _take(file: IO[str], *, wait: bool) -> bool:
    """Lock a file; whether no other process holds it, or nobody can tell."""
    with suppress(OSError, ImportError):
        import fcntl  # POSIX only

        try:
            fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            return False
    return True
