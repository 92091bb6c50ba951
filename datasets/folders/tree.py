"""Every image file below a folder, by folder; one pass over the file system, also where there are millions."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from foveate.datasets.files.pairs import ENDINGS

PASSED_OVER = frozenset({"Thumbs.db", "desktop.ini", "__MACOSX"})
DEEPEST = 12  # folders below the root, so that a loop of links ends


@dataclass
class Tree:
    """The files below a folder.

    Attributes:
        images: Folder, relative to the root with `/` ("" for the root itself) -> sorted names of image files in it.
        others: The same for files that are no images, such as lists and annotations.
    """

    images: dict[str, list[str]] = field(default_factory=dict)
    others: dict[str, list[str]] = field(default_factory=dict)

    @property
    def count(self) -> int:
        """Number of image files."""
        return sum(map(len, self.images.values()))


def walk(root: Path, progress: Callable[[int], None] = lambda count: None) -> Tree:
    """List every file below a folder, without hidden ones. Links are followed.

    Args:
        root: Where to look.
        progress: Told the number of files after each folder.
    """
    tree = Tree()
    counted = 0
    for folder, images, others in _folders(os.fspath(root), "", 0):
        if images:
            tree.images[folder] = sorted(images)
        if others:
            tree.others[folder] = sorted(others)
        counted += len(images) + len(others)
        progress(counted)
    return tree


def _folders(path: str, relative: str, depth: int) -> Iterator[tuple[str, list[str], list[str]]]:
    images: list[str] = []
    others: list[str] = []
    below: list[str] = []
    with os.scandir(path) as entries:
        for entry in entries:
            name = entry.name
            if name[0] == "." or name in PASSED_OVER:
                continue
            if name.lower().endswith(ENDINGS) and not entry.is_dir():
                images.append(name)
            elif entry.is_dir():
                below.append(name)
            else:
                others.append(name)
    yield relative, images, others
    for name in sorted(below) if depth < DEEPEST else ():
        yield from _folders(os.path.join(path, name), f"{relative}/{name}" if relative else name, depth + 1)
