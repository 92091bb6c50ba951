"""VGG Image Annotator (VIA) 2: a project, or its annotations as JSON or CSV. It knows no sizes of images.

Format: robots.ox.ac.uk/~vgg/software/via. Later regions lie on top. The class is the value of one attribute of regions.
"""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from foveate.datasets.annotations.entries import LARGEST_SET, Entry, read_json, read_text
from foveate.datasets.annotations.exported_files import FileList, ImageFiles, split_of
from foveate.datasets.annotations.gathering import Gathering
from foveate.datasets.annotations.model import AnnotationSet, Region, Ring
from foveate.datasets.annotations.shapes import ellipse, rectangle
from foveate.datasets.errors import DataError

CLASS_WORDS = ("class", "label", "category", "name", "type", "object")  # attributes that hold the class, best first


@dataclass
class Drawn:
    """An image in the file.

    Attributes:
        name: The image's file.
        where: The entry, for messages.
        regions: Pairs of a shape and its attributes.
    """

    name: str
    where: str
    regions: list[tuple[Entry, Entry]] = field(default_factory=list)


def read(sources: Iterable[Path], files: FileList, images: ImageFiles) -> AnnotationSet:
    """The annotations of one or several files.

    Args:
        sources: The JSON or CSV files.
        files: The files of the export.
        images: Its images.

    Raises:
        DataError: A file is damaged, or not in this format, or no attribute is the class.
    """
    gathering = Gathering(images)
    drawn = [one for source in sources for one in (_read_csv if source.suffix == ".csv" else _read_json)(source)]
    attribute = _class_attribute([attributes for one in drawn for _, attributes in one.regions])
    labels: set[str] = set()
    for one in drawn:
        regions = [region for pair in one.regions if (region := _read_region(*pair, attribute, gathering)) is not None]
        labels |= {region.label for region in regions}
        found = gathering.files.find(one.name, one.where)
        gathering.add(found, one.name, regions, where=one.where, split=split_of(found or ""))
    if attribute is not None:
        gathering.notes.append(f"the attribute {attribute!r} of regions is taken for the class")
    return gathering.finish("via", sorted(labels))


def _read_json(source: Path) -> Iterator[Drawn]:
    content = read_json(source, LARGEST_SET)
    images = content.get("_via_img_metadata") or content
    for _, image in images.pairs():
        regions = image["regions"]
        listed = regions.items() if isinstance(regions.value, list) else (one for _, one in regions.pairs())
        pairs = [(region["shape_attributes"], region["region_attributes"]) for region in listed]
        yield Drawn(image["filename"].text(), image.where, pairs)


def _read_csv(source: Path) -> Iterator[Drawn]:
    drawn: dict[str, Drawn] = {}
    for row in _read_rows(source):
        where = f"{source}: {row.get('filename')!r}, region {row.get('region_id')}"
        entry = Entry(row, where)
        image = drawn.setdefault(entry["filename"].text(), Drawn(entry["filename"].text(), where))
        shape = _parse(entry["region_shape_attributes"])
        if shape.value:
            image.regions.append((shape, _parse(entry["region_attributes"])))
    yield from drawn.values()


def _read_rows(source: Path) -> list[dict[str, str]]:
    """Rows by the words of the first line; VIA 1 puts a # before it."""
    text = read_text(source, LARGEST_SET).lstrip("#").replace("\r\n", "\n").replace("\r", "\n")
    try:
        return list(csv.DictReader(io.StringIO(text)))
    except csv.Error as error:
        raise DataError(f"{source}: damaged CSV: {error}") from None


def _parse(entry: Entry) -> Entry:
    try:
        return Entry(json.loads(entry.text()), entry.where)
    except ValueError as error:
        raise entry.fail(f"damaged JSON: {error}") from None


def _class_attribute(attributes: list[Entry]) -> str | None:
    """The attribute that holds the class; None if there are no regions."""
    names = sorted({name for one in attributes for name, _ in one.pairs()})
    if len(names) == 1:
        return names[0]
    known = [name for word in CLASS_WORDS for name in names if name.lower() == word]
    if attributes and not known:
        listed = ", ".join(names) or "none"
        raise DataError(
            f"{attributes[0].where}: no attribute of regions is the class (there are: {listed}); "
            f"name it one of {', '.join(CLASS_WORDS)}"
        )
    return known[0] if known else None


def _read_region(shape: Entry, attributes: Entry, attribute: str | None, gathering: Gathering) -> Region | None:
    kind = shape["name"].text()
    if (draw := RINGS.get(kind)) is None:
        gathering.left_out[f"regions of type {kind}"] += 1
        return None
    label = _label(attributes.get(attribute or ""))
    if label is None:
        gathering.left_out["regions without a class"] += 1
        return None
    rings = gathering.polygons([draw(shape)])
    return Region(label=label, rings=rings) if rings else None


def _label(value: Entry | None) -> str | None:
    """A text, or of checkboxes the one that is ticked."""
    if value is None:
        return None
    if isinstance(value.value, dict):
        ticked = [name for name, one in value.pairs() if one.value]
        if len(ticked) > 1:
            raise value.fail(f"several classes: {', '.join(ticked)}")
        return ticked[0] if ticked else None
    return value.value.strip() or None if isinstance(value.value, str) else value.text()


def _polygon(shape: Entry) -> Ring:
    xs, ys = shape["all_points_x"], shape["all_points_y"]
    pairs = list(zip((x.number() for x in xs.items()), (y.number() for y in ys.items()), strict=False))
    if len(pairs) != len(xs.value) or len(pairs) != len(ys.value):
        raise shape.fail(f"{len(xs.value)} values of x, but {len(ys.value)} of y")
    return Entry([list(pair) for pair in pairs] or [[]], shape.where).ring()


def _rectangle(shape: Entry) -> Ring:
    x, y, width, height = (shape[key].number() for key in ("x", "y", "width", "height"))
    return rectangle(x, y, x + width, y + height)


def _circle(shape: Entry) -> Ring:
    x, y, radius = (shape[key].number() for key in ("cx", "cy", "r"))
    return ellipse(x, y, radius, radius)


def _ellipse(shape: Entry) -> Ring:
    """Newer versions turn it by `theta` radians."""
    x, y, x_radius, y_radius = (shape[key].number() for key in ("cx", "cy", "rx", "ry"))
    theta = shape.get("theta")
    return ellipse(x, y, x_radius, y_radius, math.degrees(theta.number()) if theta is not None else 0.0)


RINGS: dict[str, Callable[[Entry], Ring]] = {
    "polygon": _polygon,
    "rect": _rectangle,
    "circle": _circle,
    "ellipse": _ellipse,
}
