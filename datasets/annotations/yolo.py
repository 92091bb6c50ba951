"""YOLO segmentation: a text file for each image, a line for each polygon, in shares of width and height.

Format: docs.ultralytics.com, "Instance Segmentation Datasets". Lines have no order, so that larger polygons are drawn
first, as Ultralytics does for semantic segmentation. An image without a text file shows background only.
"""

from __future__ import annotations

import posixpath
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import yaml

from foveate.datasets.annotations.entries import Entry, read_text
from foveate.datasets.annotations.exported_files import FileList, ImageFiles, only_one, split_of
from foveate.datasets.annotations.gathering import Gathering
from foveate.datasets.annotations.image_sizes import upright_size
from foveate.datasets.annotations.model import AnnotationSet, Region
from foveate.datasets.annotations.shapes import area
from foveate.datasets.errors import DataError
from foveate.datasets.files.strict_yaml import parse_yaml

BOX = 5  # values of a line that holds a class and a box
LABELS, IMAGES = "labels", "images"


def read(sources: Sequence[Path], files: FileList, images: ImageFiles) -> AnnotationSet:
    """The annotations beside a data.yaml.

    Args:
        sources: The data.yaml.
        files: The files of the export.
        images: Its images.

    Raises:
        DataError: A file is damaged, or not in this format.
    """
    gathering = Gathering(images)
    source = only_one(sources)
    names = read_names(source)
    unlabelled = {_key(path, IMAGES): path for path in images.paths}
    for text in (path for path in files.named(r".*\.txt") if LABELS in path.split("/")[:-1]):
        key = _key(text, LABELS)
        found = unlabelled.pop(key, None) or images.find_stem(key, text, hint=split_of(text))
        unlabelled.pop(_key(found or "", IMAGES), None)
        _read_image(found, text, files.root / text, names, gathering)
    for path in unlabelled.values():
        gathering.add(path, path, [], where=str(source), split=split_of(path))
    if unlabelled:
        gathering.notes.append(f"{len(unlabelled)} images have no text file: background only, as YOLO has it")
    return gathering.finish("yolo", names)


def read_names(source: Path) -> list[str]:
    """The classes of a data.yaml, in the order of their numbers.

    Args:
        source: The file.

    Raises:
        DataError: It is damaged, or names no classes.
    """
    try:
        content = Entry(parse_yaml(read_text(source)), str(source))
    except yaml.YAMLError as error:
        raise DataError(f"{source}: cannot be read as YAML: {' '.join(str(error).split())}") from None
    names = content["names"]
    if isinstance(names.value, dict):
        if set(names.value) != set(range(len(names.value))):
            raise names.fail(f"expected the numbers 0 to {len(names.value) - 1}, not {sorted(names.value, key=str)}")
        return [str(names.value[number]) for number in sorted(names.value)]
    return [str(name.value) for name in names.items()]


def _key(path: str, folder: str) -> str:
    """What an image and its text have in common: the path without the last `images` or `labels`, and the ending."""
    parts = posixpath.splitext(path)[0].split("/")
    if folder in parts[:-1]:
        del parts[len(parts) - 2 - parts[-2::-1].index(folder)]
    return "/".join(parts)


def _read_image(found: str | None, key: str, text: Path, names: list[str], gathering: Gathering) -> None:
    if found is None:
        gathering.faults.append(f"{text}: no image for it in {gathering.files.root}")
        return
    try:
        height, width = upright_size(gathering.files.root / found)
    except DataError as error:
        gathering.faults.append(str(error))
        return
    regions = read_lines(text, names, height, width, gathering)
    gathering.add(found, found, regions, where=str(text), split=split_of(found) or split_of(key))


def read_lines(text: Path, names: list[str], height: int, width: int, gathering: Gathering) -> list[Region]:
    """The regions of an image, larger ones first.

    Args:
        text: Its text file.
        names: The classes.
        height: Of the image.
        width: Of the image.
        gathering: Counts what is left out.

    Raises:
        DataError: A line is no class with numbers.
    """
    regions = []
    lines = read_text(text).splitlines()
    for number, line in enumerate(lines, start=1):
        if line.strip():
            regions += _read_line(line.split(), f"{text}: line {number}", names, np.array([width, height]), gathering)
    return sorted(regions, key=lambda region: -sum(map(area, region.rings)))


def _read_line(words: list[str], where: str, names: list[str], size: np.ndarray, gathering: Gathering) -> list[Region]:
    try:
        number, values = int(words[0]), np.array(words[1:], dtype=np.float64)
    except ValueError:
        raise DataError(f"{where}: expected a class and numbers, not {' '.join(words)!r:.60}") from None
    if not 0 <= number < len(names):
        raise DataError(f"{where}: there is no class {number} (data.yaml names 0 to {len(names) - 1})")
    if len(words) == BOX:
        gathering.left_out["boxes without a polygon"] += 1
        return []
    if len(values) % 2 or not np.isfinite(values).all():
        raise DataError(f"{where}: expected pairs of numbers, x and y, after the class; there are {len(values)}")
    if values.size and (values.min() < -1 or values.max() > 2):
        raise DataError(f"{where}: expected shares of width and height, 0 to 1; there is {values.max()}")
    rings = gathering.polygons([values.reshape(-1, 2) * size])
    return [Region(label=names[number], rings=rings)] if rings else []
