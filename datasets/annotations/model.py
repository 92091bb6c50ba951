"""What every annotation file says, whatever tool wrote it: regions of classes on images."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from foveate.datasets.class_table import RGB

Ring = NDArray[np.float64]  # (N, 2): x and y in pixels, 0 is the left or upper edge of the image
Rule = Literal["coco", "pillow", "opencv"]  # which pixels a polygon covers; see `drawing`


@dataclass(frozen=True, kw_only=True)
class Bitmap:
    """A region given pixel by pixel, decoded when it is drawn.

    Attributes:
        top: Row of its first pixel in the image.
        left: Column of its first pixel in the image.
        decode: Gives the pixels, bool (h, w).
        key: Stands for the content; another content has another key.
    """

    top: int
    left: int
    decode: Callable[[], NDArray[np.bool_]]
    key: bytes


@dataclass(frozen=True, kw_only=True)
class Region:
    """One drawn thing of one class.

    Attributes:
        label: Name of the class.
        rings: Polygons; the region is all that any of them covers.
        holes: Polygons that are cut out of it.
        bitmap: Its pixels, where the tool stores pixels and no polygons.
        ignore: Whether its pixels shall neither train nor score, such as COCO's crowds.
    """

    label: str
    rings: tuple[Ring, ...] = ()
    holes: tuple[Ring, ...] = ()
    bitmap: Bitmap | None = None
    ignore: bool = False


class LazyRegions(Iterable[Region]):
    """Regions that are read again each time they are asked for: those of a mask file, which would fill the memory.

    Args:
        load: Reads them, in drawing order.
    """

    def __init__(self, load: Callable[[], Sequence[Region]]) -> None:
        self._load = load

    def __iter__(self) -> Iterator[Region]:
        return iter(self._load())


@dataclass(frozen=True, kw_only=True)
class AnnotatedImage:
    """An image and what was drawn on it.

    Attributes:
        image: The image file.
        name: Its path below the split's folder, with `/` between the parts; images of one set may share file names.
        height: Height in pixels, as it is seen: after the rotation that EXIF asks for.
        width: Width in pixels.
        regions: In drawing order: later ones lie on top. Those of mask files are decoded each time (see `LazyRegions`).
        split: `train`, `val`, `test`, another name that the tool gives, or None if it knows no splits.
        rule: Which pixels a polygon covers.
        key: Stands for the content of regions that are read only when drawn.
        embedded: Gives the bytes of an image that lies within the annotation file; None where `image` is a file.
    """

    image: Path
    name: str
    height: int
    width: int
    regions: Iterable[Region]
    split: str | None = None
    rule: Rule = "coco"
    key: bytes = b""
    embedded: Callable[[], bytes] | None = None


@dataclass(frozen=True, kw_only=True)
class AnnotationSet:
    """All that was read from an export.

    Attributes:
        format: Its format, as `--format` names it.
        classes: Names of the classes, in the order of the tool.
        images: The images that can be drawn.
        colours: Colours of classes, where the tool knows them.
        notes: What was left out and what a user should know, a line each, with counts.
        faults: What is wrong: a missing image, an image of another size; a line each.
    """

    format: str
    classes: tuple[str, ...]
    images: Sequence[AnnotatedImage]
    colours: Mapping[str, RGB] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()
