"""Sizes of the objects of each class: connected areas of its pixels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil

import numpy as np
from jaxtyping import Int64

from foveate.datasets.augment.areas import connected_areas
from foveate.datasets.augment.resizing import Mask

SHARES = (0.05, 0.5, 0.95)


@dataclass(frozen=True, kw_only=True)
class ObjectSizes:
    """Sides of the objects of a class, in pixels: the square root of an object's area, rounded.

    Attributes:
        count: Objects.
        small: Side that 5 % of them do not exceed; None where there is none.
        median: The same of half of them.
        large: The same of 95 %.
    """

    count: int
    small: int | None
    median: int | None
    large: int | None


def object_sides(mask: Mask, label: int) -> Int64[np.ndarray, " n"]:
    """The side of each object of a class in a mask; areas that touch at corners are one object.

    Args:
        mask: Train ids.
        label: The class.

    Example:
        >>> object_sides(np.array([[1, 1, 0, 1], [1, 1, 0, 0]], dtype=np.uint8), 1).tolist()
        [2, 1]
    """
    return np.asarray(np.sqrt(connected_areas(mask, label).pixels).round(), dtype=np.int64)


def object_sizes(sides: Mapping[int, int]) -> ObjectSizes:
    """The sizes that a count of sides describes.

    Args:
        sides: Side -> number of objects.

    Example:
        >>> object_sizes(Counter([3, 3, 8]))
        ObjectSizes(count=3, small=3, median=3, large=8)
    """
    ordered = sorted(sides.items())
    ends = np.cumsum([number for _, number in ordered])
    count = int(ends[-1]) if len(ends) else 0
    small, median, large = (
        ordered[int(np.searchsorted(ends, ceil(share * count)))][0] if count else None for share in SHARES
    )
    return ObjectSizes(count=count, small=small, median=median, large=large)


def add_sides(totals: Counter[int], sides: Int64[np.ndarray, " n"]) -> None:
    """Add the sides of an image's objects to those of all.

    Args:
        totals: Side -> number of objects, which is changed.
        sides: Of one image.
    """
    for side, number in zip(*np.unique(sides, return_counts=True), strict=True):
        totals[int(side)] += int(number)
