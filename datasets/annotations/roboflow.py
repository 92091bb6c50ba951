"""Roboflow's "Semantic Segmentation Masks": train/x.jpg with train/x_mask.png, and train/_classes.csv.

Format: docs.roboflow.com. Masks hold whole numbers; _classes.csv names them, `Pixel Value, Class`.
"""

from __future__ import annotations

import csv
import posixpath
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from foveate.datasets.annotations.entries import read_text
from foveate.datasets.annotations.exported_files import FileList, ImageFiles, split_of
from foveate.datasets.annotations.gathering import Gathering
from foveate.datasets.annotations.masks_of_files import Meaning, Numbers, file_key, mask_regions
from foveate.datasets.annotations.model import AnnotationSet
from foveate.datasets.errors import DataError
from foveate.datasets.files.reading import read_size
from foveate.datasets.masks.stored import read_numbers

CLASSES, MASK = "_classes.csv", "_mask"


def read(sources: Iterable[Path], files: FileList, images: ImageFiles) -> AnnotationSet:
    """The annotations of the folders that hold a _classes.csv.

    Args:
        sources: Each _classes.csv.
        files: The files of the export.
        images: Its images.

    Raises:
        DataError: A file is damaged, or not in this format.
    """
    gathering = Gathering(images)
    classes: dict[str, None] = {}
    for source in sources:
        names = read_classes(source)
        classes |= dict.fromkeys(names.values())
        folder = source.parent.relative_to(files.root).as_posix()
        inside = [path for path in images.paths if (posixpath.dirname(path) or ".") == folder]
        _read_folder(inside, names, files.root, gathering)
    return gathering.finish("roboflow", list(classes))


def read_classes(source: Path) -> dict[int, str]:
    """Classes by their values in masks.

    Args:
        source: A _classes.csv.

    Raises:
        DataError: A row is no number and name, or a value or a name stands twice.
    """
    rows = csv.reader(read_text(source).splitlines())
    names: dict[int, str] = {}
    for number, row in enumerate(rows, start=1):
        words = [word.strip() for word in row]
        if number == 1 or not any(words):
            continue
        if len(words) != 2 or not words[0].isdigit() or not words[1]:
            raise DataError(f"{source}: line {number}: expected a pixel value and a class, not {','.join(row)!r:.60}")
        if int(words[0]) in names or words[1] in names.values():
            raise DataError(f"{source}: line {number}: {words[0]} or {words[1]!r} is named twice")
        names[int(words[0])] = words[1]
    return names


def _read_folder(paths: list[str], names: dict[int, str], root: Path, gathering: Gathering) -> None:
    meanings: dict[int, Meaning] = {value: (name, False) for value, name in names.items()}
    masks = {_stem(path).removesuffix(MASK): path for path in paths if _stem(path).endswith(MASK)}
    for path in paths:
        if _stem(path).endswith(MASK):
            continue
        if (mask_path := masks.pop(_stem(path), None)) is None:
            gathering.faults.append(f"{root / path}: no {_stem(path)}{MASK}.png beside it")
            continue
        mask = root / mask_path
        gathering.pass_over(mask_path)
        regions = mask_regions(mask, _read_values, meanings)
        size, key = read_size(mask), file_key(mask)
        gathering.add(path, path, regions, where=str(mask), size=size, split=split_of(path), key=key)
    gathering.faults += [f"{root / path}: no image beside it" for path in masks.values()]


def _stem(path: str) -> str:
    return posixpath.splitext(posixpath.basename(path))[0]


def _read_values(mask: Path) -> Numbers:
    return read_numbers(mask).astype(np.int64)
