"""Cuts an object out of one image and pastes it into another, image and mask alike."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, UInt8

from foveate.datasets.augment.areas import connected_areas
from foveate.datasets.augment.resizing import Image, ImagePart, Mask, MaskPart
from foveate.datasets.labels import IGNORE

SPECK = 16  # pixels: smaller objects are taken only where there is no larger one


@dataclass(frozen=True, eq=False)
class CutOut:
    """An object with its surroundings.

    Attributes:
        pixels: The image in a rectangle around the object.
        shape: Which of those pixels are the object's.
        label: Its train id.
    """

    pixels: UInt8[np.ndarray, "h w C"]
    shape: Bool[np.ndarray, "h w"]
    label: int


class Objects:
    """The objects of a class in a mask: connected areas of its pixels, which may touch at corners.

    Args:
        mask: Train ids; may be a view of a file.
        label: The class.
        least: Smaller objects, in pixels, are taken only where there is no larger one.
    """

    def __init__(self, mask: Mask, label: int, least: int = SPECK) -> None:
        self._areas = connected_areas(mask, label)
        self.label = label
        pixels = self._areas.pixels
        self._chosen = 1 + np.flatnonzero(pixels >= (least if (pixels >= least).any() else 0))

    def __len__(self) -> int:
        return len(self._chosen)

    def cut(self, image: Image, index: int) -> CutOut:
        """One of the objects.

        Args:
            image: Bytes of the mask's image; may be a view of a file.
            index: Which one.
        """
        number = self._chosen[index]
        left, top, width, height = self._areas.boxes[number, :4]
        shape = self._areas.numbers[top : top + height, left : left + width] == number
        top, left = top + self._areas.top, left + self._areas.left
        return CutOut(image[top : top + height, left : left + width], np.asarray(shape), self.label)


def resize_object(cut: CutOut, scale: float) -> CutOut:
    """An object at another size; its shape is that of the nearest pixels, as of a resized mask.

    Args:
        cut: The object.
        scale: Of both sides.
    """
    height, width = (max(1, round(side * scale)) for side in cut.shape.shape)
    pixels = cv2.resize(np.ascontiguousarray(cut.pixels), (width, height), interpolation=cv2.INTER_LINEAR)
    shape = cv2.resize(cut.shape.astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST)
    of_channels = np.asarray(pixels, dtype=np.uint8).reshape(height, width, cut.pixels.shape[2])
    return CutOut(of_channels, np.asarray(shape, dtype=bool), cut.label)


def paste_object(image: ImagePart, mask: MaskPart, cut: CutOut, top: int, left: int) -> int:
    """Paste an object, in place. Ignored pixels stay as they are, and so does all beside the object.

    Args:
        image: Bytes (H, W, C), which are changed.
        mask: Train ids (H, W), which are changed alike.
        cut: The object; parts of it may lie outside.
        top: Row of its rectangle's first row.
        left: Column of its rectangle's first column.

    Returns:
        How many pixels it covers.
    """
    height, width = cut.shape.shape
    rows, columns = _inside(top, height, mask.shape[0]), _inside(left, width, mask.shape[1])
    part = slice(rows.start - top, rows.stop - top), slice(columns.start - left, columns.stop - left)
    covered = cut.shape[part] & (mask[rows, columns] != IGNORE)
    image[rows, columns][covered] = cut.pixels[part][covered]
    mask[rows, columns][covered] = cut.label
    return int(np.count_nonzero(covered))


def _inside(start: int, length: int, limit: int) -> slice:
    """The part of a stretch that lies in a side."""
    first = min(max(start, 0), limit)
    return slice(first, max(first, min(start + length, limit)))
