"""A lock that several processes respect."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


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
        with suppress(OSError, ImportError):
            import fcntl  # POSIX only

            fcntl.flock(file, fcntl.LOCK_EX)
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
        try:
            import fcntl  # POSIX only

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        except (OSError, ImportError):
            pass
        try:
            yield True
        finally:
            with suppress(OSError):  # Windows removes no open file
                path.unlink()
