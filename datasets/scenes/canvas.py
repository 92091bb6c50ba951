"""A picture and its label map, painted together from far to near."""

from __future__ import annotations

from enum import IntEnum

import cv2
import numpy as np

from foveate.datasets.labels import CITYSCAPES
from foveate.datasets.scenes.camera import Camera

ID = dict(zip(CITYSCAPES.names, CITYSCAPES.ids, strict=True))  # class name -> regular id
UNLABELED, EGO_VEHICLE, STATIC = 0, 1, 4  # regular ids of void that the scenes use
SUBPIXEL = 4  # fractional bits of cv2's coordinates: sixteenths of a pixel

Colour = tuple[float, float, float]  # RGB reflectance, 0-1


class Material(IntEnum):
    """How a surface's colour varies; the texture is put on when the picture is finished."""

    SMOOTH = 0
    PLASTER = 1
    FOLIAGE = 2
    CLOUD = 3
    ASPHALT = 4  # from here on: materials that lie on the ground
    PAVING = 5
    GRASS = 6


class Canvas:
    """Takes shapes in street coordinates; later shapes hide earlier ones.

    Attributes:
        camera: Turns street coordinates into pixels.
        surface: uint16 (H, W): number of the surface that is seen, an index into the three lists.
        label: uint8 (H, W): regular label id.
        shade: float32 (H, W): light that reaches the ground there, 0-1.
    """

    def __init__(self, camera: Camera) -> None:
        shape = (camera.height, camera.width)
        self.camera = camera
        self.surface = np.zeros(shape, dtype=np.uint16)
        self.label = np.full(shape, UNLABELED, dtype=np.uint8)
        self.shade = np.ones(shape, dtype=np.float32)
        self.colours: list[Colour] = [(0.0, 0.0, 0.0)]
        self.materials: list[int] = [Material.SMOOTH]
        self.depths: list[float] = [0.0]

    def fill(
        self, shapes: np.ndarray, colour: Colour, *, label: int | None = None, material: Material = Material.SMOOTH
    ) -> None:
        """Paint polygons (..., corners, 3). Without a label only the colour changes, as for a window of a house."""
        surface = self._add_surface(colour, material, shapes)
        for polygon in self._to_fixed(shapes):
            cv2.fillPoly(self.surface, [polygon], (surface,), shift=SUBPIXEL)
            if label is not None:
                cv2.fillPoly(self.label, [polygon], (label,), shift=SUBPIXEL)

    def stroke(
        self, paths: np.ndarray, width: float, colour: Colour, *, label: int | None = None, least: int = 1
    ) -> None:
        """Paint lines through points (..., points, 3), `width` metres wide, `least` pixels or more, with round ends."""
        surface = self._add_surface(colour, Material.SMOOTH, paths)
        thickness = max(least, round(self.camera.focal * width / self.depths[-1]))
        for path in self._to_fixed(paths):
            cv2.polylines(self.surface, [path], False, (surface,), thickness, shift=SUBPIXEL)
            if label is not None:
                cv2.polylines(self.label, [path], False, (label,), thickness, shift=SUBPIXEL)

    def mark(self, shapes: np.ndarray, label: int) -> None:
        """Label polygons (..., corners, 3) and keep their colours: a fence is see-through, its label is solid."""
        for polygon in self._to_fixed(shapes):
            cv2.fillPoly(self.label, [polygon], (label,), shift=SUBPIXEL)

    def shadow(self, shapes: np.ndarray, light: float) -> None:
        """Reduce the light on the ground inside polygons (..., corners, 3) to `light` (0-1)."""
        for polygon in self._to_fixed(shapes):
            cv2.fillPoly(self.shade, [polygon], (light,), shift=SUBPIXEL)

    def overlay(self, inside: np.ndarray, colour: Colour, label: int) -> None:
        """Paint the pixels of a mask, bool (H, W)."""
        self.surface[inside] = self._add_surface(colour, Material.SMOOTH, np.ones((1, 3)))
        self.label[inside] = label

    def are_seen(self, shapes: np.ndarray) -> np.ndarray:
        """Whether polygons (N, corners, 3), clockwise from outside, turn their outside to the camera: bool (N,)."""
        pixels = self.camera.project(shapes)
        x, y = pixels[..., 0], pixels[..., 1]
        following = np.arange(1, x.shape[-1] + 1) % x.shape[-1]
        return np.asarray((x * y[:, following] - y * x[:, following]).sum(axis=-1) > 0)

    def _add_surface(self, colour: Colour, material: Material, points: np.ndarray) -> int:
        self.colours.append(colour)
        self.materials.append(material)
        self.depths.append(max(float(points[..., 2].sum()) / (points.size // 3), 1.0))
        return len(self.colours) - 1

    def _to_fixed(self, shapes: np.ndarray) -> np.ndarray:
        """Pixels in cv2's fixed point: (..., K, 3) -> int32 (N, K, 2)."""
        pixels = np.clip(self.camera.project(shapes), -30000, 30000) * (1 << SUBPIXEL)
        fixed: np.ndarray = np.rint(pixels).astype(np.int32)
        return fixed.reshape(-1, shapes.shape[-2], 2)
