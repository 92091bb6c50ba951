"""Supervisely: meta.json with the classes, and for each data set ann/ with a JSON file for each image in img/.

Format: docs.supervisely.com, "Supervisely JSON format". Later objects lie on top. Polygons cover the pixels that
Supervisely's own tools give them.
"""

from __future__ import annotations

import posixpath
import zlib
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from foveate.datasets.annotations.entries import LARGEST_ONE, Entry, read_json
from foveate.datasets.annotations.exported_files import FileList, ImageFiles, only_one, split_of
from foveate.datasets.annotations.gathering import Gathering
from foveate.datasets.annotations.labelme import decode_base64
from foveate.datasets.annotations.model import AnnotationSet, Bitmap, Region
from foveate.datasets.annotations.shapes import rectangle
from foveate.datasets.class_file import parse_colour
from foveate.datasets.class_table import RGB
from foveate.datasets.errors import DataError
from foveate.datasets.files.decoding import MAX_PIXELS, opened

ANNOTATIONS, IMAGES = "ann", "img"


def read(sources: Sequence[Path], files: FileList, images: ImageFiles) -> AnnotationSet:
    """The annotations of a project.

    Args:
        sources: Its meta.json.
        files: The files of the export.
        images: Its images.

    Raises:
        DataError: A file is damaged, or not in this format.
    """
    gathering = Gathering(images, rule="opencv")
    source = only_one(sources)
    colours = _read_classes(read_json(source))
    for path in files.named(r".*\.json"):
        if posixpath.basename(posixpath.dirname(path)) == ANNOTATIONS:
            _read_image(path, read_json(files.root / path), colours, gathering)
    return gathering.finish("supervisely", list(colours), colours)


def _read_classes(meta: Entry) -> dict[str, RGB]:
    colours: dict[str, RGB] = {}
    for one in meta["classes"].items():
        title = one["title"]
        if title.text() in colours:
            raise title.fail(f"{title.value!r} stands for two classes")
        colours[title.text()] = parse_colour(one["color"].value, one["color"].where)
    return colours


def _read_image(path: str, content: Entry, colours: dict[str, RGB], gathering: Gathering) -> None:
    size = content["size"]["height"].whole(), content["size"]["width"].whole()
    regions = []
    for item in content["objects"].items():
        label = item["classTitle"]
        if label.text() not in colours:
            raise label.fail(f"meta.json has no class {label.value!r}")
        regions += _read_object(item, gathering)
    split = split_of(path)
    folder = posixpath.dirname(posixpath.dirname(path))
    name = posixpath.join(folder, IMAGES, posixpath.basename(path).removesuffix(".json"))
    gathering.add(gathering.files.find(name, path), name, regions, where=path, size=size, split=split)


def _read_object(item: Entry, gathering: Gathering) -> list[Region]:
    label, kind = item["classTitle"].text(), item["geometryType"].text()
    if kind == "bitmap":
        return [Region(label=label, bitmap=_bitmap(item["bitmap"]))]
    if kind not in ("polygon", "rectangle"):
        gathering.left_out[f"objects of type {kind}"] += 1
        return []
    outer = item["points"]["exterior"].ring()
    if kind == "rectangle":
        if len(outer) != 2:
            raise item["points"]["exterior"].fail(f"expected two points, not {len(outer)}")
        outer = rectangle(*outer.ravel().tolist())
    inner = item["points"].get("interior")
    holes = gathering.polygons([hole.ring() for hole in inner.items()]) if inner is not None else ()
    rings = gathering.polygons([outer])
    return [Region(label=label, rings=rings, holes=holes)] if rings else []


def _bitmap(entry: Entry) -> Bitmap:
    left, top = entry["origin"].wholes(2)
    data = entry["data"]
    decode = partial(_decode, decode_base64(data), data.where)
    return Bitmap(top=top, left=left, decode=decode, key=str(data.value).encode())


def _decode(data: Callable[[], bytes], where: str) -> NDArray[np.bool_]:
    """Pixels of a compressed PNG: its alpha, or whatever is not 0 if it has none."""
    try:
        png = _decompress(data())
    except zlib.error as error:
        raise DataError(f"{where}: damaged bitmap: {error}") from None
    with opened(png, where, MAX_PIXELS) as image:
        pixels = np.asarray(image.convert("RGBA")) if image.mode in ("RGBA", "LA") else np.asarray(image)
    return pixels[..., -1] > 0 if pixels.ndim == 3 and pixels.shape[2] == 4 else pixels.reshape(pixels.shape[:2]) > 0


def _decompress(data: bytes) -> bytes:
    unpacker = zlib.decompressobj()
    png = unpacker.decompress(data, LARGEST_ONE)
    if unpacker.unconsumed_tail:
        raise zlib.error(f"more than {LARGEST_ONE / 1e6:.0f} MB")
    return png
