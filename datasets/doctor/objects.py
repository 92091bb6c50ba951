"""How large the objects of each class are."""

from __future__ import annotations

import numpy as np
from jaxtyping import UInt8
from numpy.typing import NDArray

from foveate.datasets.augment.areas import connected_areas
from foveate.datasets.labels import IGNORE

WINDOW = 512  # pixels: side of the part in which objects are measured
DOWN, ACROSS = 0.7548776662, 0.5698402910  # steps whose multiples fill a square evenly (M. Roberts' R2 sequence)
Mask = UInt8[np.ndarray, "H W"]
Part = UInt8[np.ndarray, "h w"]
SPECK = 4  # pixels; smaller areas are left out, as the slips of a pen


def window(mask: Mask, number: int) -> Part:
    """A part of a large mask, whose objects stand for all: another one for each number.

    Args:
        mask: Train ids.
        number: Such as the mask's own number.
    """
    height, width = mask.shape
    top, left = (int(number * step % 1 * max(0, side - WINDOW)) for side, step in ((height, DOWN), (width, ACROSS)))
    return mask[top : top + WINDOW, left : left + WINDOW]


def object_sides(mask: Mask, num_classes: int) -> dict[int, NDArray[np.float32]]:
    """Train id -> side of each of its objects in pixels: the square root of the area of what hangs together.

    Args:
        mask: Train ids, 255 where ignored.
        num_classes: Number of classes K.

    Example:
        >>> mask = np.zeros((8, 8), np.uint8)
        >>> mask[2:5, 2:5] = 1
        >>> object_sides(mask, 2)[1].tolist()
        [3.0]
    """
    present = [int(value) for value in np.unique(mask) if value < min(num_classes, IGNORE)]
    return {value: _sides_of(mask, value) for value in present}


def _sides_of(mask: Mask, label: int) -> NDArray[np.float32]:
    areas = connected_areas(mask, label).pixels
    return np.asarray(np.sqrt(areas[areas >= SPECK]), dtype=np.float32)


def typical_side(sides: NDArray[np.float32]) -> float:
    """The side of the object in which the middle pixel of a class lies: half of its pixels are in smaller ones.

    Args:
        sides: Of all objects, at least one.

    Example:
        >>> typical_side(np.array([1, 1, 1, 9], np.float32))
        9.0
    """
    ordered = np.sort(sides)
    pixels = np.cumsum(ordered.astype(np.float64) ** 2)
    return float(ordered[np.searchsorted(pixels, pixels[-1] / 2)])
