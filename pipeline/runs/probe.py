"""Checks that runs can be written, before anything slow begins."""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from pathlib import Path

from foveate.pipeline.errors import ConfigError
from foveate.pipeline.machine import machine_fault

NOT_WRITABLE = (errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOTDIR, errno.EEXIST)


def probe(folder: Path) -> None:
    """Check that a folder can be written, by writing a file to the disk; nothing of it stays.

    Args:
        folder: Where runs are kept, or a run directory.

    Raises:
        ConfigError: It cannot be written.
        MachineError: The disk is full, or fails.
    """
    path = folder / f".probe-{os.getpid()}"
    made = [place for place in (folder, *folder.parents) if not place.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            file.write(b"foveate")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        if error.errno is not None and error.errno not in NOT_WRITABLE and (fault := machine_fault(error)):
            raise fault from error
        reason = error.strerror or str(error)
        raise ConfigError(f"{folder}: runs cannot be written there: {reason} (--trainer.default_root_dir)") from error
    finally:
        with suppress(OSError):
            path.unlink(missing_ok=True)
            for place in made:
                place.rmdir()
