"""Connected areas of a class in a mask."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Int32

from foveate.datasets.augment.resizing import Mask


@dataclass(frozen=True, eq=False)
class Areas:
    """The connected areas of a class; those that touch at corners are one.

    Attributes:
        numbers: Number of the area from 1 of each pixel, 0 of other classes, in the rectangle that holds them all.
        boxes: Left, top, width, height and pixels of area 0 (the rest), 1, 2 ..., in that rectangle.
        top: First row of the rectangle in the mask.
        left: First column.
    """

    numbers: Int32[np.ndarray, "h w"]
    boxes: Int32[np.ndarray, "N 5"]
    top: int
    left: int

    @property
    def pixels(self) -> Int32[np.ndarray, " n"]:
        """Pixels of areas 1, 2 ..."""
        return self.boxes[1:, cv2.CC_STAT_AREA]


def connected_areas(mask: Mask, label: int) -> Areas:
    """The connected areas of a class; only the rectangle that holds the class is searched.

    Args:
        mask: Train ids; may be a view of a file.
        label: The class.

    Example:
        >>> connected_areas(np.array([[1, 1, 0, 1], [1, 1, 0, 0]], dtype=np.uint8), 1).pixels.tolist()
        [4, 1]
    """
    of_class = np.asarray(mask == label, dtype=np.uint8)
    left, top, width, height = cv2.boundingRect(of_class)
    part = of_class[top : top + max(1, height), left : left + max(1, width)]  # OpenCV crashes on an array of nothing
    _, numbers, boxes, _ = cv2.connectedComponentsWithStats(part, connectivity=8)
    return Areas(np.asarray(numbers), np.asarray(boxes), top, left)
