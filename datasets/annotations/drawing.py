"""Paints regions on an index mask, by the rule of the tool that they come from.

| rule | whose | which pixels a polygon covers |
|---|---|---|
| `coco` | COCO's tools (frPoly) | those whose centre is inside, after rounding to a fifth of a pixel |
| `pillow` | labelme's, Cityscapes' scripts (ImageDraw) | those inside or on the outline, decimals cut off |
| `opencv` | Supervisely's tools (fillPoly) | those inside or on the outline, after rounding |
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import cv2
import numpy as np
from jaxtyping import UInt
from PIL import Image, ImageDraw

from foveate.datasets.annotations.coco_polygons import Part, polygon_masks
from foveate.datasets.annotations.model import Region, Ring, Rule

Mask = UInt[np.ndarray, "H W"]
LIMIT = 1 << 20  # coordinates beyond are cut off: OpenCV counts in 32 bits with 16 of them behind the point


class Canvas(ABC):
    """A mask on which regions are painted, later ones on top.

    Args:
        height: In pixels.
        width: In pixels.
        background: Value of pixels in no region.
        deep: Whether values go up to 65535, instead of 255.
    """

    def __init__(self, height: int, width: int, background: int, *, deep: bool) -> None:
        self.pixels: Mask = np.full((height, width), background, dtype=np.uint16 if deep else np.uint8)

    def paint(self, regions: Sequence[tuple[Region, int]]) -> None:
        """Give the pixels of regions their values.

        Args:
            regions: Regions and values, in drawing order; what lies outside of the image is left out.
        """
        for region, value in regions:
            self._paint(region, value)

    def _paint(self, region: Region, value: int) -> None:
        if region.bitmap is not None:
            self._stamp((region.bitmap.decode(), region.bitmap.top, region.bitmap.left), value)
        if region.holes:
            self._stamp(self._without_holes(region), value)
        elif region.rings:
            self._fill(region.rings, value)

    def finish(self) -> Mask:
        """The mask (H, W)."""
        return self.pixels

    @abstractmethod
    def _fill(self, rings: tuple[Ring, ...], value: int) -> None: ...

    def _without_holes(self, region: Region) -> Part:
        height, width = self.pixels.shape
        inner = type(self)(height, width, 0, deep=False)
        inner._fill(region.rings, 1)
        inner._fill(region.holes, 0)
        return inner.finish() > 0, 0, 0

    def _stamp(self, part: Part | None, value: int) -> None:
        if part is None:
            return
        mask, top, left = part
        inside = mask[max(-top, 0) :, max(-left, 0) :]
        top, left = max(top, 0), max(left, 0)
        window = self.pixels[top : top + inside.shape[0], left : left + inside.shape[1]]
        np.copyto(window, value, where=inside[: window.shape[0], : window.shape[1]])


class CocoCanvas(Canvas):
    """Polygons as COCO's tools draw them; those of an image are computed together, which is faster."""

    def paint(self, regions: Sequence[tuple[Region, int]]) -> None:
        """Give the pixels of regions their values.

        Args:
            regions: Regions and values, in drawing order; what lies outside of the image is left out.
        """
        plain = [region.rings for region, _ in regions if _is_plain(region)]
        parts = polygon_masks(plain, *self.pixels.shape)
        for region, value in regions:
            if _is_plain(region):
                self._stamp(next(parts), value)
            else:
                self._paint(region, value)

    def _fill(self, rings: tuple[Ring, ...], value: int) -> None:
        (part,) = polygon_masks([rings], *self.pixels.shape)
        self._stamp(part, value)


def _is_plain(region: Region) -> bool:
    return bool(region.rings) and not region.holes and region.bitmap is None


class OpenCVCanvas(Canvas):
    """Polygons as OpenCV draws them: outlines included."""

    def _fill(self, rings: tuple[Ring, ...], value: int) -> None:
        for ring in rings:
            if len(ring):
                cv2.fillPoly(self.pixels, [np.rint(ring.clip(-LIMIT, LIMIT)).astype(np.int32)], value)


class PillowCanvas(Canvas):
    """Polygons as Pillow draws them: outlines included."""

    def __init__(self, height: int, width: int, background: int, *, deep: bool) -> None:
        super().__init__(height, width, background, deep=deep)
        self._image: Image.Image | None = None

    def _fill(self, rings: tuple[Ring, ...], value: int) -> None:
        if self._image is None:
            self._image = Image.fromarray(self.pixels if self.pixels.itemsize == 1 else self.pixels.astype(np.int32))
        draw = ImageDraw.Draw(self._image)
        for ring in rings:
            if len(ring) > 1:  # fewer is an error of Pillow's
                draw.polygon([(float(x), float(y)) for x, y in ring.clip(-LIMIT, LIMIT)], fill=value)

    def _stamp(self, part: Part | None, value: int) -> None:
        self.pixels = self.finish()
        super()._stamp(part, value)

    def finish(self) -> Mask:
        """The mask (H, W)."""
        if self._image is not None:
            self.pixels = np.array(self._image).astype(self.pixels.dtype)
            self._image = None
        return self.pixels


CANVASES: dict[Rule, type[Canvas]] = {"coco": CocoCanvas, "pillow": PillowCanvas, "opencv": OpenCVCanvas}
