"""CVAT for images 1.1: one XML file for all images.

Format: docs.cvat.ai, "XML annotation format". Shapes with a larger z_order lie on top, later ones on earlier ones.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np

from foveate.datasets.annotations.entries import LARGEST_SET, Entry, read_limited
from foveate.datasets.annotations.exported_files import FileList, ImageFiles, split_of
from foveate.datasets.annotations.gathering import Gathering
from foveate.datasets.annotations.model import AnnotationSet, Bitmap, Region, Ring
from foveate.datasets.annotations.rle import check_counts, expand
from foveate.datasets.annotations.shapes import ellipse, rectangle
from foveate.datasets.class_file import parse_colour
from foveate.datasets.class_table import RGB
from foveate.datasets.errors import DataError
from foveate.datasets.folders.names import understand_name

DECLARED = re.compile(rb"<!(DOCTYPE|ENTITY)", re.IGNORECASE)  # entities may blow up a small file; CVAT writes none
AREAS = ("polygon", "box", "ellipse", "mask")


def read(sources: Iterable[Path], files: FileList, images: ImageFiles) -> AnnotationSet:
    """The annotations of one or several XML files.

    Args:
        sources: The XML files.
        files: The files of the export.
        images: Its images.

    Raises:
        DataError: A file is damaged, or not in this format.
    """
    gathering = Gathering(images)
    colours: dict[str, RGB] = {}
    classes: dict[str, None] = {}
    for source in sources:
        root = read_xml(source)
        if root.find("track") is not None:
            raise DataError(f"{source}: CVAT for video; export the task as 'CVAT for images 1.1'")
        for label in root.findall("./meta//labels/label"):
            name = label.findtext("name", "").strip()
            classes[name] = None
            if colour := label.findtext("color"):
                colours[name] = parse_colour(colour, f"{source}: label {name!r}")
        for image in root.findall("image"):
            _read_image(image, source, classes, gathering)
    return gathering.finish("cvat", list(classes), colours)


def read_xml(source: Path) -> ET.Element:
    """The root of an XML file.

    Args:
        source: The file.

    Raises:
        DataError: It is damaged, declares entities, or does not hold `<annotations>`.
    """
    data = read_limited(source, LARGEST_SET)
    if DECLARED.search(data):
        raise DataError(f"{source}: declares XML entities, which no annotation tool does: refused")
    try:
        root = ET.fromstring(data)
    except (ET.ParseError, LookupError, ValueError) as error:
        raise DataError(f"{source}: damaged XML: {error}") from None
    if root.tag != "annotations":
        raise DataError(f"{source}: expected <annotations> of CVAT, not <{root.tag}>")
    return root


def _attributes(element: ET.Element, where: str) -> Entry:
    return Entry(dict(element.attrib), where)


def _number(entry: Entry, key: str, default: float | None = None) -> float:
    """An attribute as a number."""
    if default is not None and entry.get(key) is None:
        return default
    try:
        return Entry(float(entry[key].value), entry[key].where).number()
    except ValueError:
        raise entry[key].fail(f"expected a number, not {entry[key].value!r:.60}") from None


def _read_image(image: ET.Element, source: Path, classes: dict[str, None], gathering: Gathering) -> None:
    entry = _attributes(image, f"{source}: image {image.get('name')!r}")
    name, subset = entry["name"].text(), str(entry.value.get("subset", ""))
    size = int(_number(entry, "height")), int(_number(entry, "width"))
    drawn: list[tuple[float, Region]] = []
    for number, element in enumerate(image):
        shape = _attributes(element, f"{source}: image {name!r}: {element.tag} {number}")
        if element.tag not in AREAS:
            gathering.left_out[f"shapes of type {element.tag}"] += 1
        elif (region := _read_shape(element.tag, shape, size, gathering)) is not None:
            classes.setdefault(region.label)
            drawn.append((_number(shape, "z_order", 0.0), region))
    drawn.sort(key=lambda one: one[0])
    named = understand_name(subset).split
    split = named or split_of(name)
    if subset.lower() not in ("", "default") and named is None:
        gathering.left_out[f"names of subset {subset!r}, which is no split (train, val, test)"] += 1
    found = gathering.files.find(name, entry.where, hint=split)
    gathering.add(found, name, [region for _, region in drawn], where=entry.where, size=size, split=split)


def _read_shape(kind: str, shape: Entry, size: tuple[int, int], gathering: Gathering) -> Region | None:
    label = shape["label"].text()
    if kind == "mask":
        return Region(label=label, bitmap=_bitmap(shape, size))
    rings = gathering.polygons([RINGS[kind](shape)])
    return Region(label=label, rings=rings) if rings else None


def _polygon(shape: Entry) -> Ring:
    points = shape["points"]
    try:
        values = [[float(number) for number in point.split(",")] for point in points.text().split(";")]
    except ValueError:
        raise points.fail(f"expected x,y;x,y;..., not {points.value!r:.60}") from None
    return Entry(values, points.where).ring()


def _box(shape: Entry) -> Ring:
    left, top, right, bottom = (_number(shape, key) for key in ("xtl", "ytl", "xbr", "ybr"))
    return rectangle(left, top, right, bottom, _number(shape, "rotation", 0.0))


def _ellipse(shape: Entry) -> Ring:
    x, y, x_radius, y_radius = (_number(shape, key) for key in ("cx", "cy", "rx", "ry"))
    return ellipse(x, y, x_radius, y_radius, _number(shape, "rotation", 0.0))


RINGS: dict[str, Callable[[Entry], Ring]] = {"polygon": _polygon, "box": _box, "ellipse": _ellipse}


def _bitmap(shape: Entry, size: tuple[int, int]) -> Bitmap:
    """A mask: lengths of runs along the rows of its rectangle."""
    left, top, width, height = (int(_number(shape, key)) for key in ("left", "top", "width", "height"))
    if min(width, height) < 1 or width * height > 4 * size[0] * size[1]:
        raise shape.fail(f"a mask of {height} x {width} in an image of {size[0]} x {size[1]}")
    rle = shape["rle"]
    try:
        lengths = np.array([int(word) for word in rle.text().split(",")], dtype=np.int64)
    except (ValueError, OverflowError):
        raise rle.fail(f"expected whole numbers, not {rle.value!r:.60}") from None
    counts = check_counts(lengths, height * width, rle.where)
    return Bitmap(
        top=top, left=left, decode=partial(expand, counts, height, width, by_column=False), key=counts.tobytes()
    )
