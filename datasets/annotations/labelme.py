"""labelme: one JSON file for each image, which may hold the image too.

Format: github.com/wkentaro/labelme. Later shapes lie on top. Polygons cover the pixels that labelme's own scripts give
them; circles are drawn as polygons.
"""

from __future__ import annotations

import base64
import binascii
import math
import posixpath
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from foveate.datasets.annotations.entries import Entry, read_json, read_text
from foveate.datasets.annotations.exported_files import FileList, ImageFiles, split_of
from foveate.datasets.annotations.gathering import Gathering
from foveate.datasets.annotations.model import AnnotationSet, Bitmap, Region, Ring
from foveate.datasets.annotations.shapes import ellipse, rectangle
from foveate.datasets.files.decoding import MAX_PIXELS, opened

IGNORED = "__ignore__"  # labelme's own name for what shall not count


def read(sources: Iterable[Path], files: FileList, images: ImageFiles) -> AnnotationSet:
    """The annotations of a folder of JSON files.

    Args:
        sources: The JSON files.
        files: The files of the export; labels.txt among them names the classes in their order.
        images: Its images.

    Raises:
        DataError: A file is damaged, or not in this format.
    """
    gathering = Gathering(images, rule="pillow")
    labels: set[str] = set()
    for source in sources:
        content = read_json(source)
        regions = [region for shape in content["shapes"].items() for region in _read_shape(shape, gathering)]
        labels |= {region.label for region in regions}
        _add(source, content, regions, files, gathering)
    listed = _listed(files)
    classes = [*listed, *sorted(labels - {*listed, IGNORED})]
    return gathering.finish("labelme", classes)


def _listed(files: FileList) -> list[str]:
    if "labels.txt" not in files:
        return []
    lines = read_text(files.root / "labels.txt").splitlines()
    return [line.strip() for line in lines if line.strip() and line.strip() != IGNORED]


def _add(source: Path, content: Entry, regions: list[Region], files: FileList, gathering: Gathering) -> None:
    path = content["imagePath"]
    name = path.text().replace("\\", "/")
    below = source.relative_to(files.root).as_posix() if source.is_relative_to(files.root) else source.name
    folder = posixpath.dirname(below) if gathering.files.root == files.root else ""
    embedded = content.get("imageData")
    if embedded is not None and posixpath.normpath(posixpath.join(folder, name)) not in gathering.files:
        inside = posixpath.join(folder, posixpath.basename(name))
        _add_embedded(embedded, source, inside, _size(content), regions, gathering)
        return
    found = gathering.files.find(name, path.where, folder=folder)
    gathering.add(found, name, regions, where=str(source), size=_size(content), split=split_of(below))


def _add_embedded(
    entry: Entry, source: Path, name: str, size: tuple[int, int] | None, regions: list[Region], gathering: Gathering
) -> None:
    data = decode_base64(entry)
    with opened(data(), entry.where, MAX_PIXELS) as image:
        width, height = image.size
    if size not in (None, (height, width)):
        raise entry.fail(f"an image of {height} x {width}, but the file says {size}")
    gathering.add_embedded(data, source, name, (height, width), regions)


def _size(content: Entry) -> tuple[int, int] | None:
    height, width = content.get("imageHeight"), content.get("imageWidth")
    return (height.whole(), width.whole()) if height is not None and width is not None else None


def _read_shape(shape: Entry, gathering: Gathering) -> list[Region]:
    label, kind = shape["label"].text(), shape["shape_type"].text() if shape.says("shape_type") else "polygon"
    ignore = label == IGNORED
    if kind == "mask":
        return [Region(label=label, ignore=ignore, bitmap=_bitmap(shape))]
    if (draw := RINGS.get(kind)) is None:
        gathering.left_out[f"shapes of type {kind}"] += 1
        return []
    rings = gathering.polygons([draw(shape["points"])])
    return [Region(label=label, ignore=ignore, rings=rings)] if rings else []


def _polygon(points: Entry) -> Ring:
    return points.ring()


def _rectangle(points: Entry) -> Ring:
    (left, top), (right, bottom) = _two(points)
    return rectangle(left, top, right, bottom)


def _circle(points: Entry) -> Ring:
    """By its centre and a point on its edge."""
    centre, edge = _two(points)
    radius = math.dist(centre, edge)
    return ellipse(centre[0], centre[1], radius, radius)


def _two(points: Entry) -> Ring:
    ring = points.ring()
    if len(ring) != 2:
        raise points.fail(f"expected two points, not {len(ring)}")
    return ring


RINGS: dict[str, Callable[[Entry], Ring]] = {
    "polygon": _polygon,
    "rectangle": _rectangle,
    "oriented_rectangle": _polygon,
    "circle": _circle,
}


def _bitmap(shape: Entry) -> Bitmap:
    """A mask, which fills the rectangle of its two points."""
    data = decode_base64(shape["mask"])
    left, top = _two(shape["points"]).astype(np.int64).min(axis=0).tolist()
    decode = partial(_decode_mask, data, shape["mask"].where)
    return Bitmap(top=top, left=left, decode=decode, key=str(shape.value["mask"]).encode())


def _decode_mask(data: Callable[[], bytes], where: str) -> NDArray[np.bool_]:
    with opened(data(), where, MAX_PIXELS) as image:
        return np.asarray(image.convert("L")) > 0


def decode_base64(entry: Entry) -> Callable[[], bytes]:
    """Gives the bytes of a text in base64.

    Args:
        entry: The text.

    Raises:
        DataError: It is no base64; at once, not when called.
    """
    text = entry.text()
    try:
        base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise entry.fail(f"damaged base64: {error}") from None
    return partial(base64.b64decode, text)
