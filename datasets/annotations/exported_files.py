"""The files of an export, listed once; images are found among them by the names that annotations give."""

from __future__ import annotations

import os
import posixpath
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from foveate.datasets.errors import DataError
from foveate.datasets.files.names import safe_path
from foveate.datasets.files.pairs import ENDINGS
from foveate.datasets.folders.names import understand_name
from foveate.datasets.text import few

CITYSCAPES = "leftimg8bit"  # its folder of images
MARK = "foveate_import.json"  # in a folder that an import wrote, which is never taken for an export


class FileList:
    """Every file below a folder, without hidden ones and without what imports wrote.

    Args:
        root: The folder.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.paths = sorted(_walk(root))
        self._known = set(self.paths)

    def __contains__(self, path: object) -> bool:
        return path in self._known

    def named(self, pattern: str) -> list[str]:
        """Paths below the root whose file name matches a regular expression as a whole."""
        compiled = re.compile(pattern)
        return [path for path in self.paths if compiled.fullmatch(posixpath.basename(path))]


def _walk(root: Path) -> Iterator[str]:
    """Paths below a folder, with `/`. Links to folders are followed, each folder once."""
    seen: set[str] = set()
    for folder, folders, files in os.walk(root, followlinks=True):
        real = os.path.realpath(folder)
        if real in seen or (MARK in files and Path(folder) != root):
            folders.clear()
            continue
        seen.add(real)
        folders[:] = [name for name in folders if not name.startswith(".")]
        below = Path(folder).relative_to(root).as_posix()
        yield from (posixpath.normpath(posixpath.join(below, name)) for name in files if not name.startswith("."))


class ImageFiles:
    """The images of an export.

    Args:
        root: The folder that they lie in.
        paths: Files below it; those that are no images are passed over.
        apart: Whether the user named that folder, so that paths in annotations may begin somewhere else.
    """

    def __init__(self, root: Path, paths: Iterable[str], *, apart: bool = False) -> None:
        self.root = root
        self.paths = [path for path in paths if path.lower().endswith(ENDINGS)]
        self._apart = apart
        self._known = set(self.paths)
        self._by_name = _index(self.paths, posixpath.basename)
        self._by_stem = _index(self.paths, _stem)

    def __contains__(self, path: object) -> bool:
        return path in self._known

    def outside(self, *folders: str) -> ImageFiles:
        """The images that lie in none of some folders.

        Args:
            folders: Names of folders, such as those of masks.
        """
        kept = [path for path in self.paths if not set(folders) & set(path.split("/")[:-1])]
        return ImageFiles(self.root, kept, apart=self._apart)

    def find(self, name: str, where: str, *, folder: str = "", hint: str | None = None) -> str | None:
        """The image of a name, as a path below the root; None if there is none.

        Args:
            name: The name in the annotations: a path, of which a part may be missing here.
            where: The file and entry, for messages.
            folder: What the name is relative to, below the root.
            hint: A split; of several images those in its folder are meant.

        Raises:
            DataError: The name leads out of the folder, or several images have it.
        """
        name = name.replace("\\", "/")
        joined = posixpath.normpath(posixpath.join(folder, name))
        if self._apart and (joined.startswith(("/", "..")) or ":" in joined):
            joined = posixpath.basename(joined)
        safe_path(joined, where)
        if joined in self._known:
            return joined
        return self._one(self._by_name.get(posixpath.basename(joined), []), joined, where, hint)

    def find_stem(self, stem: str, where: str, *, hint: str | None = None) -> str | None:
        """The image whose path, without its ending, ends with `stem`; None if there is none.

        Args:
            stem: A path without ending.
            where: The file and entry, for messages.
            hint: A split; of several images those in its folder are meant.

        Raises:
            DataError: The path leads out of the folder, or several images have it.
        """
        safe_path(stem, where)
        return self._one(self._by_stem.get(posixpath.basename(stem), []), stem, where, hint, stems=True)

    def _one(self, found: list[str], name: str, where: str, hint: str | None, *, stems: bool = False) -> str | None:
        matching = [path for path in found if _is_tail(_without_ending(path) if stems else path, name)]
        if len(matching) > 1 and hint is not None:
            matching = [path for path in matching if split_of(path) == hint] or matching
        if len(matching) > 1:
            raise DataError(f"{where}: {name!r} may be each of {few(matching)}; give the folder of one with --images")
        return matching[0] if matching else None


def _index(paths: Iterable[str], key: Callable[[str], str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for path in paths:
        found.setdefault(key(path), []).append(path)
    return found


def _stem(path: str) -> str:
    return posixpath.basename(_without_ending(path))


def _without_ending(path: str) -> str:
    return posixpath.splitext(path)[0]


def _is_tail(path: str, name: str) -> bool:
    """Whether one of two paths ends with the other."""
    return f"/{path}".endswith(f"/{name}") or f"/{name}".endswith(f"/{path}")


def only_one(sources: Sequence[Path]) -> Path:
    """The file of which an export has one.

    Args:
        sources: The files that were found, at least one.

    Raises:
        DataError: There are several.
    """
    if len(sources) > 1:
        raise DataError(f"{len(sources)} exports in one folder ({few(map(str, sources))}): give the folder of one")
    return sources[0]


def split_of(path: str) -> str | None:
    """The split that a folder in a path means, the outermost first."""
    return next((split for part in path.split("/")[:-1] if (split := understand_name(part).split) is not None), None)


def inner_name(path: str) -> str:
    """A path without the folders that only say that there are images, and of which split.

    Example:
        >>> inner_name("images/train/city/a.jpg")
        'city/a.jpg'
    """
    *folders, name = path.split("/")
    return "/".join([*(folder for folder in folders if not _says_images(folder)), name])


def _says_images(folder: str) -> bool:
    said = understand_name(folder)
    return said.split is not None or said.role == "image" or folder.lower() == CITYSCAPES
