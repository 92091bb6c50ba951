"""A crop that is sure to show a class."""

from __future__ import annotations

from random import Random

import numpy as np
from jaxtyping import Int64

from foveate.datasets.augment.resizing import Mask, Size, Window, source_pixels


class TargetPixels:
    """The pixels of one class in a resized mask, without resizing it.

    Args:
        mask: Train ids; may be a view of a file.
        scale: Of both sides.
        value: The class.
    """

    def __init__(self, mask: Mask, scale: float, value: int) -> None:
        rows, columns = source_pixels((mask.shape[0], mask.shape[1]), scale)
        self._size = len(rows), len(columns)
        shown_rows, self._rows = _first(rows)
        shown_columns, self._columns = _first(columns)
        every = (len(shown_rows), len(shown_columns)) == mask.shape
        part = mask if every else mask[np.ix_(shown_rows, shown_columns)]
        self._found = np.flatnonzero(part == value)

    def __len__(self) -> int:
        return len(self._found)

    def draw_window(self, size: Size, random: Random) -> Window:
        """A window of the resized mask that holds one of the pixels, each with equal probability.

        Args:
            size: Height and width of the window, at most those of the mask.
            random: Decides.
        """
        row, column = divmod(int(self._found[random.randrange(len(self))]), len(self._columns))
        top = _draw_start(int(self._rows[row]), size[0], self._size[0], random)
        left = _draw_start(int(self._columns[column]), size[1], self._size[1], random)
        return Window(top, left, *size)


def _first(sources: Int64[np.ndarray, " n"]) -> tuple[Int64[np.ndarray, " k"], Int64[np.ndarray, " k"]]:
    """The pixels of a side that its resize shows, and the first pixel of the resize that shows each."""
    shown, first = np.unique(sources, return_index=True)
    return shown, first.astype(np.int64)


def _draw_start(place: int, length: int, limit: int, random: Random) -> int:
    """Where a stretch of a side starts that holds a place."""
    return random.randint(max(0, place - length + 1), min(place, limit - length))
