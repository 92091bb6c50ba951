"""Names that are read from an index, an archive or a configuration file never leave the folder they belong to."""

from __future__ import annotations

import re

from foveate.datasets.errors import DataError

FORBIDDEN = re.compile(r"[/\\\x00-\x1f]|^[A-Za-z]:")  # separators, NUL, line breaks, drives of Windows


def safe_name(name: object, where: str) -> str:
    """A name of one file or folder, which was read from a file.

    Args:
        name: What was read.
        where: The file that it was read from, for the message.

    Returns:
        The name, unchanged.

    Raises:
        DataError: It is no text, is empty, `.` or `..`, or holds a separator, a drive, a NUL or another control
            character.

    Example:
        >>> safe_name("chunk-0-1.bin", "index.json")
        'chunk-0-1.bin'
    """
    if not isinstance(name, str) or name.strip() in ("", ".", "..") or FORBIDDEN.search(name):
        raise DataError(
            f"{where} names {name!r:.100}, which is no plain file name: names that lead to another folder are refused; "
            "the file is damaged, or was not made by foveate"
        )
    return name


def safe_path(path: object, where: str) -> str:
    """A path below a folder, with `/` between its parts, which was read from a file.

    Args:
        path: What was read.
        where: The file that it was read from, for the message.

    Returns:
        The path, unchanged.

    Raises:
        DataError: One of its parts is no safe name, as in an absolute path or one with `..`.

    Example:
        >>> safe_path("cat/1.png", "chunk-0-1.bin")
        'cat/1.png'
    """
    for part in path.split("/") if isinstance(path, str) else [path]:
        safe_name(part, where)
    return str(path)
