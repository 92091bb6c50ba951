"""Lets one process at a time train in a run directory."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import IO

from foveate.pipeline.errors import ConfigError

try:
    import fcntl
except ImportError:  # Windows: two trainings in one directory are then not noticed
    fcntl = None  # type: ignore[assignment]

LOCK = ".lock"
_held: list[RunLock] = []


class RunLock:
    """Holds a run directory until it is released, or until the process ends in whatever way.

    The system's file lock is used, not the mere presence of a file: it cannot be left behind by a killed process.

    Args:
        run: The run directory.
    """

    def __init__(self, run: Path) -> None:
        self.path = run / LOCK
        self._file: IO[str] | None = None

    def take(self) -> None:
        """Take the directory.

        Raises:
            ConfigError: Another process trains in it; the message names process and machine.
        """
        try:
            file = self.path.open("a+", encoding="utf-8")
        except OSError:  # the probe of the directory says more
            return
        if fcntl is not None:
            try:
                fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # of the process: reading processes do not inherit it
            except (BlockingIOError, PermissionError):
                raise ConfigError(self._who(file)) from None
            except OSError:  # a file system without locks
                file.close()
                return
        file.seek(0)
        file.truncate()
        file.write(f"process {os.getpid()} on {socket.gethostname()}\n")
        file.flush()
        self._file = file
        _held.append(self)

    def release(self) -> None:
        """Give the directory back."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _who(self, file: IO[str]) -> str:
        file.seek(0)
        holder = file.read(200).strip() or "another process"
        file.close()
        return (
            f"{self.path.parent}: {holder} trains in it; wait for it or stop it, or start a run of its own "
            "(--config RECIPE without --ckpt_path)"
        )


def release_all() -> None:
    """Give back the directories that this process holds, at the end of a training."""
    while _held:
        _held.pop().release()


def is_held(run: Path) -> bool:
    """Whether another process trains in a run directory; to be asked before this process takes one.

    Args:
        run: The run directory.
    """
    if fcntl is not None:
        try:
            with (run / LOCK).open("r+", encoding="utf-8") as file:
                fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):
            return True
        except OSError:  # no lock file, or a file system without locks
            return False
    return False
