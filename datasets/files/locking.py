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
