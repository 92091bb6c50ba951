"""Files that are written as a whole or not at all."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LONGEST = 255  # bytes of a file's name, on nearly every file system
ROOM = 32  # of these, for what a draft's name adds


@contextmanager
def replacing(path: Path, *, flush: bool = True) -> Iterator[Path]:
    """Give a draft beside `path` to write to; it takes the place of `path` once the block ends.

    Missing folders are made. After an error, a kill or a full disk the file at `path` is what it was before. The draft
    lies in the same folder, since a move between file systems copies and can be interrupted.

    Args:
        path: The file to write.
        flush: Wait until it is on the disk. False for what can be made again, in numbers: a loss of power may then
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


def write_text(path: Path, text: str) -> None:
    """Write text in UTF-8, as a whole or not at all."""
    with replacing(path) as draft:
        draft.write_text(text, encoding="utf-8")


def fitting(name: str) -> str:
    """A file's name, cut and with a hash of the whole if it is longer than file systems allow; the ending stays.

    Args:
        name: The name; two long ones that differ anywhere have different results.

    Example:
        >>> fitting("short.png"), len(fitting("x" * 252 + ".jpg.png"))
        ('short.png', 255)
    """
    raw = os.fsencode(name)
    if len(raw) <= LONGEST:
        return name
    ending = Path(name).suffix if len(os.fsencode(Path(name).suffix)) < ROOM else ""
    tail = f"~{hashlib.sha256(raw).hexdigest()[:12]}{ending}"
    return f"{raw[: LONGEST - len(os.fsencode(tail))].decode('utf-8', 'ignore')}{tail}"


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
