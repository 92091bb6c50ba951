"""Which images are meant: one file, a folder, a pattern, a list of paths in a file or on standard input."""

from __future__ import annotations

import glob
import os
import sys
from collections.abc import Iterable
from pathlib import Path

from foveate.datasets.errors import DataError
from foveate.datasets.files.pairs import ENDINGS, list_images
from foveate.datasets.text import near_path

STANDARD_INPUT, LIST = "-", ".txt"


def find_images(source: str) -> tuple[list[Path], Path]:
    """The images that are meant, and the folder that their names are relative to.

    Args:
        source: A folder (searched with its sub-folders), an image, a pattern such as `photos/**/*.jpg`, a `.txt` file
            with a path on each line, or `-` for such lines on standard input. Listed paths are relative to the current
            folder.

    Returns:
        The images, each once, and the deepest folder that holds all of them.

    Raises:
        DataError: There is no such file or folder, or it names no image.
    """
    path = Path(source).expanduser()
    if source == STANDARD_INPUT:
        return _listed(sys.stdin, "standard input")
    if path.is_dir():
        return _some(list_images(path, recursive=True), source), path
    if path.is_file() and path.suffix.lower() != LIST:
        return [path], path.parent
    if path.is_file():
        with path.open(encoding="utf-8") as lines:
            return _listed(lines, source)
    if not glob.has_magic(source):
        raise DataError(f"{source}: no such file or folder (--data.images){near_path(source)}")
    matching = map(Path, sorted(glob.glob(os.path.expanduser(source), recursive=True)))
    return _with_folder(_some([one for one in matching if one.suffix.lower() in ENDINGS], source))


def _listed(lines: Iterable[str], source: str) -> tuple[list[Path], Path]:
    try:
        names = [name for line in lines if (name := line.strip())]
    except UnicodeDecodeError as error:
        raise DataError(f"{source}: no list of paths, one on each line, in UTF-8 ({error})") from error
    return _with_folder(_some(list(dict.fromkeys(Path(name).expanduser() for name in names)), source))


def _with_folder(paths: list[Path]) -> tuple[list[Path], Path]:
    """Absolute paths where some are, and the deepest folder that holds all."""
    if any(path.is_absolute() or ".." in path.parts for path in paths):
        paths = [Path(os.path.abspath(path)) for path in paths]
    return paths, Path(os.path.commonpath([path.parent for path in paths]) or ".")


def _some(paths: list[Path], source: str) -> list[Path]:
    if not paths:
        raise DataError(f"{source}: no images (looked for {', '.join(ENDINGS)})")
    return paths
