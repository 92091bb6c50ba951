"""Recognises errors of the machine, which are no bug and may be gone at the next try: a full disk, no memory."""

from __future__ import annotations

import errno
from collections.abc import Iterator

from foveate.pipeline.errors import MachineError
from foveate.pipeline.text import first_line

DISKS = {
    errno.ENOSPC: "free some space, or choose another place with --trainer.default_root_dir",
    errno.EDQUOT: "your quota is used up; free some space, or choose another place with --trainer.default_root_dir",
    errno.EROFS: "choose a place that can be written with --trainer.default_root_dir",
    errno.EIO: "the disk or the network behind it fails",
    errno.ESTALE: "the network file system lost the file",
    errno.EFBIG: "the file is larger than allowed (ulimit -f)",
    errno.EMFILE: "raise the limit of open files (ulimit -n), or lower --data.num_workers",
    errno.ENOMEM: "memory ran out; lower --data.batch_size, --data.crop or --data.num_workers",
}
MEMORY = "memory ran out; lower --data.batch_size or --data.crop, or set --model.activation_checkpointing true"
OUT_OF_MEMORY = ("out of memory", "can't allocate memory", "alloc_cpu", "bad_alloc", "not enough memory")


def machine_fault(error: BaseException) -> MachineError | None:
    """The same error as one of the machine, with advice; None if it is none.

    Args:
        error: Any error, with what it was raised from.
    """
    for cause in _causes(error):
        if isinstance(cause, OSError) and cause.errno in DISKS:
            where = f"{cause.filename}: " if cause.filename else ""
            return MachineError(f"{where}{cause.strerror}; {DISKS[cause.errno]}")
        if isinstance(cause, MemoryError) or any(words in str(cause).lower() for words in OUT_OF_MEMORY):
            return MachineError(f"{first_line(cause)}; {MEMORY}")
    return None


def _causes(error: BaseException) -> Iterator[BaseException]:
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__
