"""Files that are written as a whole or not at all: the data sets' own, since they import nothing of the pipeline."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LONGEST = 255  # bytes of a file's name, on nearly every file system
ROOM = 32  # of these, for what a draft's name adds


@contextmanager
def replacing(path: Path, *, flush: bool = True) -> Iterator[Path]:
    """Give a draft beside `path` to write to; it replaces `path` when the block ends.

    Missing folders are made. After an error, a kill or a full disk the file at `path` is what it was before. The draft
    lies in the same folder, since a move between file systems copies and can be interrupted.

    Args:
        path: The file to write.
        flush: Wait until it is on the disk. False is for many files that can be made again: a loss of power may then
            leave an empty file.

    Raises:
        OSError: It cannot be written.

    Example:
        >>> import tempfile
        >>> target = Path(tempfile.mkdtemp()) / "new" / "note.txt"
        >>> with replacing(target) as draft:
        ...     _ = draft.write_text("whole")
        >>> target.read_text(), [path.name for path in target.parent.iterdir()]
        ('whole', ['note.txt'])
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{draft_name(path.name)}{os.getpid()}")
    try:
        yield draft
        if flush:
            _flush(draft)
        draft.replace(path)
        if flush:
            _flush(path.parent)
    finally:
        draft.unlink(missing_ok=True)


def write_whole(path: Path, data: bytes, *, flush: bool = True) -> None:
    """Write bytes, as a whole or not at all (see `replacing`)."""
    with replacing(path, flush=flush) as draft:
        draft.write_bytes(data)


def draft_name(name: str) -> str:
    """What the draft of a file is called, before its process's number; a glob of it finds what a kill left behind."""
    return f".{_cut(name)}.tmp-"


def _cut(name: str) -> str:
    """The beginning of a name, so that the draft's is no longer than file systems allow."""
    return os.fsencode(name)[: LONGEST - ROOM].decode("utf-8", "ignore")


def _flush(path: Path) -> None:
    """Wait until a file, or a folder's list of names, is on the disk; Windows opens no folders."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(descriptor)
    except OSError:  # some file systems and devices have no such call
        pass
    finally:
        os.close(descriptor)
