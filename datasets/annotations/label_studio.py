"""Label Studio: one JSON file for all tasks, as "JSON" exports it. Sizes are in percent of the image.

Format: labelstud.io, "Label Studio JSON format of annotated tasks". Later results lie on top. Of several annotations
of a task the one marked as ground truth counts, else the first that was not cancelled.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import numpy as np

from foveate.datasets.annotations.brush_rle import decode_brush
from foveate.datasets.annotations.entries import LARGEST_SET, Entry, read_json
from foveate.datasets.annotations.exported_files import FileList, ImageFiles
from foveate.datasets.annotations.gathering import Gathering
from foveate.datasets.annotations.model import AnnotationSet, Bitmap, Region, Ring
from foveate.datasets.annotations.shapes import ellipse, turned

UPLOADED = re.compile(r"[0-9a-f]{8}-(.+)")  # Label Studio puts a part of a hash before the name of an uploaded file
Size = tuple[int, int]


def read(sources: Iterable[Path], files: FileList, images: ImageFiles) -> AnnotationSet:
    """The annotations of one or several JSON files.

    Args:
        sources: The JSON files.
        files: The files of the export.
        images: Its images, which Label Studio does not export with this format.

    Raises:
        DataError: A file is damaged, or not in this format.
    """
    gathering = Gathering(images)
    labels: set[str] = set()
    for source in sources:
        for task in read_json(source, LARGEST_SET).items():
            labels |= _read_task(task, gathering)
    return gathering.finish("label-studio", sorted(labels))


def _read_task(task: Entry, gathering: Gathering) -> set[str]:
    annotation = _chosen(task, gathering)
    if annotation is None:
        gathering.left_out["tasks without an annotation"] += 1
        return set()
    regions: list[Region] = []
    sizes: set[Size] = set()
    for result in annotation["result"].items():
        if (region := _read_result(result, gathering)) is not None:
            regions.append(region)
            sizes.add(_size(result))
    if len(sizes) > 1:
        raise annotation.fail(f"its results give several sizes of the image: {sorted(sizes)}")
    name = _image_name(task)
    found = _find(name, task, gathering)
    gathering.add(found, name, regions, where=task.where, size=sizes.pop() if sizes else None)
    return {region.label for region in regions}


def _chosen(task: Entry, gathering: Gathering) -> Entry | None:
    finished = [one for one in task["annotations"].items() if not one.says("was_cancelled")]
    if len(finished) > 1:
        gathering.left_out["further annotations of tasks that have several"] += len(finished) - 1
    true = [one for one in finished if one.says("ground_truth")]
    return next(iter([*true, *finished]), None)


def _image_name(task: Entry) -> str:
    """The name of the image's file: Label Studio knows it by an address."""
    data = task["data"]
    addresses = [value for key, value in data.pairs() if isinstance(value.value, str) and _names_image(value.value)]
    if len(addresses) != 1:
        raise data.fail(f"expected one value that names an image file, not {len(addresses)}")
    address = urlsplit(addresses[0].text())
    local = parse_qs(address.query).get("d")
    return posixpath.basename(unquote(local[0] if local else address.path).replace("\\", "/"))


def _names_image(value: str) -> bool:
    return re.search(r"\.(png|jpe?g|bmp|tiff?|webp)(\?|$)", value, flags=re.IGNORECASE) is not None


def _find(name: str, task: Entry, gathering: Gathering) -> str | None:
    found = gathering.files.find(name, task.where)
    if found is None and (uploaded := UPLOADED.fullmatch(name)):
        found = gathering.files.find(uploaded[1], task.where)
    return found


def _size(result: Entry) -> Size:
    return result["original_height"].whole(), result["original_width"].whole()


def _read_result(result: Entry, gathering: Gathering) -> Region | None:
    kind = result["type"].text()
    if result.says("image_rotation"):
        raise result["image_rotation"].fail("images that were turned in Label Studio are not supported")
    labels = _labels(result["value"], kind)
    if labels is None:
        gathering.left_out[f"results of type {kind} without a label"] += 1
        return None
    if len(labels) > 1:
        gathering.left_out["further labels of regions that have several"] += len(labels) - 1
    return _draw(labels[0], kind.removesuffix("labels"), result, gathering)


def _labels(value: Entry, kind: str) -> list[str] | None:
    found = value.get(kind) if kind.endswith("labels") else value.get("labels")
    labels = [label.text() for label in found.items()] if found is not None else []
    return labels or None


def _draw(label: str, kind: str, result: Entry, gathering: Gathering) -> Region | None:
    value, size = result["value"], _size(result)
    kind = kind or _kind_of(value)
    if kind == "brush":
        return Region(label=label, bitmap=_bitmap(value["rle"], size))
    if (draw := RINGS.get(kind)) is None:
        gathering.left_out[f"results of type {kind}"] += 1
        return None
    rings = gathering.polygons([draw(value, size)])
    return Region(label=label, rings=rings) if rings else None


def _kind_of(value: Entry) -> str:
    """The kind of a result of type `labels`, by its values."""
    keys = {"rle": "brush", "points": "polygon", "radiusX": "ellipse", "height": "rectangle"}
    return next((kind for key, kind in keys.items() if key in value.value), "labels")


def _bitmap(rle: Entry, size: Size) -> Bitmap:
    values = [number.whole() for number in rle.items()]
    decode = partial(decode_brush, values, *size, rle.where)
    return Bitmap(top=0, left=0, decode=decode, key=str(values).encode())


def _polygon(value: Entry, size: Size) -> Ring:
    return value["points"].ring() * (size[1] / 100, size[0] / 100)


def _rectangle(value: Entry, size: Size) -> Ring:
    """A rectangle is turned round its first corner."""
    x, y = value["x"].number() * size[1] / 100, value["y"].number() * size[0] / 100
    width, height = value["width"].number() * size[1] / 100, value["height"].number() * size[0] / 100
    ring = np.array([[x, y], [x + width, y], [x + width, y + height], [x, y + height]])
    return turned(ring, (x, y), _rotation(value))


def _ellipse(value: Entry, size: Size) -> Ring:
    x, y = value["x"].number() * size[1] / 100, value["y"].number() * size[0] / 100
    x_radius, y_radius = value["radiusX"].number() * size[1] / 100, value["radiusY"].number() * size[0] / 100
    return ellipse(x, y, x_radius, y_radius, _rotation(value))


def _rotation(value: Entry) -> float:
    given = value.get("rotation")
    return given.number() if given is not None else 0.0


RINGS: dict[str, Callable[[Entry, Size], Ring]] = {
    "polygon": _polygon,
    "rectangle": _rectangle,
    "ellipse": _ellipse,
}
