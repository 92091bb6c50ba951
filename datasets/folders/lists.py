"""Lists of images in text files, such as train.txt."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from foveate.datasets.errors import DataError
from foveate.datasets.files.pairs import ENDINGS
from foveate.datasets.folders.names import SPLITS
from foveate.datasets.text import few

FOLDERS = ("", "splits", "split", "lists", "list", "imagesets", "imagesets/segmentation")  # in any letter case


def find_lists(others: Mapping[str, Sequence[str]], folder: str | None = None) -> dict[str, str]:
    """The list files of a tree: split -> path below the root.

    Args:
        others: Folder -> names of files that are no images, as in `Tree.others`.
        folder: The folder to look in; those of usual names if not given.
    """
    wanted = FOLDERS if folder is None else (folder.strip("/").lower(),)
    found: dict[str, str] = {}
    for place, names in others.items():
        if place.lower() not in wanted:
            continue
        for name in names:
            stem, _, ending = name.lower().rpartition(".")
            if ending == "txt" and stem in SPLITS:
                found[SPLITS[stem]] = f"{place}/{name}" if place else name
    return found


def read_list(path: Path) -> list[str]:
    """The lines of a list, without empty ones and comments.

    Raises:
        DataError: It cannot be read as text.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read as a list of images: {error}") from error
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


def positions(images: Sequence[str], lines: Iterable[str], where: str) -> NDArray[np.int64]:
    """Where the images of a list stand among all images.

    A line is a name or a path, with or without ending; what stands behind a space, tab or comma is another file, such
    as its mask, and not looked at.

    Args:
        images: Paths below the root.
        lines: The list.
        where: Its file, for messages.

    Raises:
        DataError: A line names no image, or several.
    """
    known = _known(images)
    found, missing = [], []
    for line in lines:
        place = next((known[form] for form in _forms(line) if form in known), None)
        if place is None:
            missing.append(line)
        elif place < 0:
            raise DataError(
                f"{where}: {line!r} may be one of several images; write the path below the data set's folder"
            )
        else:
            found.append(place)
    if missing:
        raise DataError(f"{where}: {len(missing)} lines name no image that has a mask: {few(missing)}")
    return np.array(sorted(set(found)), dtype=np.int64)


def _known(images: Sequence[str]) -> dict[str, int]:
    """Every way to name an image -> its position, -1 where a name may mean several."""
    known: dict[str, int] = {}
    for place, image in enumerate(images):
        path = _bare(image)
        parts = path.split("/")
        for start in range(len(parts)):
            form = "/".join(parts[start:])
            known[form] = place if known.get(form, place) == place else -1
    return known | {_bare(image): place for place, image in enumerate(images)}


def _forms(line: str) -> Iterable[str]:
    """What a line may mean: all of it, or its first column."""
    yield _bare(line)
    for separator in ("\t", ",", " "):
        if separator in line:
            yield _bare(line.split(separator)[0])


def _bare(path: str) -> str:
    """A path in small letters, without ending and without what leads to the data set's folder."""
    plain = path.replace("\\", "/").strip().strip("\"'").removeprefix("./").strip("/").casefold()
    ending = next((ending for ending in ENDINGS if plain.endswith(ending)), "")
    return plain[: len(plain) - len(ending)]
