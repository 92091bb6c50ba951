"""Pascal VOC masks, as CVAT ("Segmentation mask") and Datumaro write them: a colour or palette PNG for each image.

Format: docs.cvat.ai, "Segmentation mask". Lines of labelmap.txt are `name:red,green,blue:parts:actions`.
"""

from __future__ import annotations

import posixpath
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from foveate.datasets.annotations.entries import read_text
from foveate.datasets.annotations.exported_files import FileList, ImageFiles, only_one
from foveate.datasets.annotations.gathering import Gathering
from foveate.datasets.annotations.masks_of_files import (
    Meaning,
    Numbers,
    file_key,
    mask_regions,
    pack_colour,
    unpack_colour,
)
from foveate.datasets.annotations.model import AnnotationSet
from foveate.datasets.class_table import RGB
from foveate.datasets.errors import DataError
from foveate.datasets.files.names import safe_path
from foveate.datasets.files.reading import read_size
from foveate.datasets.folders.names import understand_name
from foveate.datasets.labels import IGNORE
from foveate.datasets.masks.stored import read_pixels
from foveate.datasets.palette import distinct_colours

BORDER: RGB = (224, 224, 192)  # VOC's colour of pixels that neither train nor score
GREY = 1 << 24  # added to values of grey files, which number the lines of labelmap.txt
MASKS, LISTS = "SegmentationClass", "ImageSets/Segmentation/"
VOC = (
    "background", "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow",
    "diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor",
)  # fmt: skip


def read(sources: Sequence[Path], files: FileList, images: ImageFiles) -> AnnotationSet:
    """The annotations of a folder with SegmentationClass/.

    Args:
        sources: The folder's labelmap.txt, if it has one; without one the classes are VOC's.
        files: The files of the export.
        images: Its images.

    Raises:
        DataError: A file is damaged, or not in this format.
    """
    images = images.outside(MASKS, "SegmentationObject")
    gathering = Gathering(images)
    colours = read_label_map(only_one(sources)) if sources else _voc_classes()
    splits = _read_splits(files, gathering)
    meanings = _meanings(colours)
    masks = [path for path in files.named(r".*\.png") if MASKS in path.split("/")[:-1]]
    for path in masks:
        mask = files.root / path
        stem = posixpath.splitext(path.split(f"{MASKS}/", 1)[1])[0]
        found = images.find_stem(stem, str(mask))
        regions, size, key = mask_regions(mask, _read_mask, meanings, _show), read_size(mask), file_key(mask)
        gathering.add(found, stem, regions, where=str(mask), size=size, split=splits.get(stem), key=key)
    return gathering.finish("voc", list(colours), colours)


def _voc_classes() -> dict[str, RGB]:
    return dict(zip(VOC, distinct_colours(len(VOC)), strict=True))


def read_label_map(source: Path) -> dict[str, RGB]:
    """Classes and their colours, in the order of labelmap.txt.

    Args:
        source: The file.

    Raises:
        DataError: A line is written in another way, or two classes share a name or a colour.
    """
    colours: dict[str, RGB] = {}
    lines = read_text(source).splitlines()
    for number, line in enumerate(lines, start=1):
        if line.strip() and not line.startswith("#"):
            name, colour = _read_line(line, f"{source}: line {number}", len(colours))
            if name in colours or colour in colours.values():
                raise DataError(f"{source}: line {number}: the name or the colour of {name!r} stands for two classes")
            colours[name] = colour
    return colours


def _read_line(line: str, where: str, number: int) -> tuple[str, RGB]:
    name, _, rest = line.strip().partition(":")
    words = rest.split(":")[0].split(",") if rest.split(":")[0] else []
    if not words:
        return name, distinct_colours(number + 1)[number]
    if len(words) != 3 or not all(word.strip().isdigit() and int(word) <= 255 for word in words):
        raise DataError(f"{where}: expected name:red,green,blue:parts:actions, not {line!r:.60}")
    red, green, blue = map(int, words)
    return name, (red, green, blue)


def _meanings(colours: dict[str, RGB]) -> dict[int, Meaning]:
    meanings: dict[int, Meaning] = {_number(BORDER): ("border", True), GREY + IGNORE: ("border", True)}
    for index, (name, colour) in enumerate(colours.items()):
        meanings[_number(colour)] = meanings[GREY + index] = (name, False)
    return meanings


def _number(colour: RGB) -> int:
    return int(pack_colour(np.array([colour], dtype=np.uint8))[0])


def _show(number: int) -> str:
    return f"grey {number - GREY}" if number >= GREY else unpack_colour(number)


def _read_mask(mask: Path) -> Numbers:
    """Colours as numbers; the values of a grey file, with `GREY` added."""
    pixels = read_pixels(mask)
    return pack_colour(pixels) if pixels.ndim == 3 else pixels.astype(np.int64) + GREY


def _read_splits(files: FileList, gathering: Gathering) -> dict[str, str]:
    """Split of each image that a list of train, val or test names; other lists, such as trainval, say nothing."""
    splits: dict[str, str] = {}
    for path in files.named(r".*\.txt"):
        split = understand_name(posixpath.splitext(posixpath.basename(path))[0]).split
        if f"/{LISTS}" not in f"/{path}" or split is None:
            continue
        for line in read_text(files.root / path).splitlines():
            stem = safe_path(line.strip(), str(files.root / path)) if line.strip() else None
            if stem is not None and splits.setdefault(stem, split) != split:
                gathering.faults.append(f"{files.root / path}: {stem} is in {splits[stem]} too")
    return splits
