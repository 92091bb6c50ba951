"""Which pixels a polygon covers by the rule of COCO's own tools, exactly, in NumPy.

Vertices are rounded to a grid of a fifth of a pixel. Where the outline passes the centre of a column of pixels, the
column changes between inside and outside. Each edge is computed as a whole, where COCO's C code walks it step by step.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from foveate.datasets.annotations.model import Ring

STEPS = 5  # of the grid in a pixel
CENTRE = 2  # the step on whose right side the centre of a pixel lies
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Crossings = tuple[Ints, Ints]  # columns, and the rows from which on a column changes sides


def crossings(ring: Ring, height: int, width: int) -> Crossings:
    """Where the outline of a polygon passes the centres of columns.

    Args:
        ring: The polygon (N, 2).
        height: Of the image.
        width: Of the image.

    Returns:
        Column 0 to width - 1, and row 0 to height, of each crossing; each column has an even number of them.
    """
    x, y = np.trunc(STEPS * ring + 0.5).astype(np.int64).T  # towards zero, as C does
    xs, ys, xe, ye = _left_to_right(x, y, np.roll(x, -1), np.roll(y, -1))
    first = np.maximum((xs + (STEPS - 1 - CENTRE)) // STEPS, 0)
    last = np.minimum((xe - CENTRE - 1) // STEPS, width - 1)
    counts = np.maximum(last - first + 1, 0)
    edge = np.repeat(np.arange(len(x)), counts)
    columns = np.arange(len(edge)) - np.repeat(np.cumsum(counts) - counts, counts) + first[edge]
    rows = _rows_at(columns * STEPS + CENTRE, xs[edge], ys[edge], xe[edge], ye[edge])
    return columns, np.clip((rows + CENTRE) // STEPS, 0, height)


def _left_to_right(x: Ints, y: Ints, x_next: Ints, y_next: Ints) -> tuple[Ints, Ints, Ints, Ints]:
    """Edges by their left and their right end."""
    turned = x > x_next
    left = np.where(turned, x_next, x), np.where(turned, y_next, y)
    return *left, np.where(turned, x, x_next), np.where(turned, y, y_next)


def _rows_at(steps: Ints, xs: Ints, ys: Ints, xe: Ints, ye: Ints) -> Ints:
    """The upper of the two rows of steps between which an edge goes from column step `steps` to the next."""
    wide, tall = xe - xs, np.abs(ye - ys)
    flat = wide >= tall
    rows = np.empty(len(steps), dtype=np.int64)
    rows[flat] = _rows_of_flat(steps[flat] - xs[flat], ys[flat], (ye - ys)[flat], wide[flat])
    down = (ye > ys)[~flat]
    upper = np.where(down, xs[~flat], xe[~flat])
    rows[~flat] = np.minimum(ys, ye)[~flat] + _steps_of_steep(steps[~flat], upper, down, wide[~flat], tall[~flat])
    return rows


def _rows_of_flat(offset: Ints, start: Ints, rise: Ints, wide: Ints) -> Ints:
    """Edges that are at least as wide as tall take one step of a column at a time."""
    slope = rise / wide
    here, there = (np.trunc(start + slope * at + 0.5) for at in (offset, offset + 1))
    return np.minimum(here, there).astype(np.int64)


def _steps_of_steep(steps: Ints, upper: Ints, down: NDArray[np.bool_], wide: Ints, tall: Ints) -> Ints:
    """Edges that are taller than wide take one step of a row at a time: the last row before the column changes."""
    slope = np.where(down, wide, -wide) / tall
    guess = np.floor((steps + 0.5 - upper) / slope).astype(np.int64) - 1
    for _ in range(3):  # rounding may move the change by one row; the formula itself decides
        reached = np.trunc(upper + slope * (guess + 1) + 0.5)
        guess += np.where(down, reached <= steps, reached > steps)
    return guess


def polygon_mask(rings: tuple[Ring, ...], height: int, width: int) -> tuple[NDArray[np.bool_], int, int] | None:
    """What any of several polygons covers, as a part of the image.

    Args:
        rings: The polygons.
        height: Of the image.
        width: Of the image.

    Returns:
        The pixels (h, w), the row and the column of the first; None if no pixel is covered.

    Example:
        >>> square = np.array([[1, 1], [4, 1], [4, 3], [1, 3]], dtype=float)
        >>> mask, top, left = polygon_mask((square,), 10, 10)
        >>> mask.shape, mask.all(), top, left
        ((2, 3), np.True_, 1, 1)
    """
    found = [c for c in (crossings(ring, height, width) for ring in rings if len(ring)) if len(c[0])]
    if not found:
        return None
    left, right = min(int(c.min()) for c, _ in found), max(int(c.max()) for c, _ in found) + 1
    top, bottom = min(int(r.min()) for _, r in found), max(int(r.max()) for _, r in found)
    if bottom == top:
        return None
    masks = [_fill(columns - left, rows - top, right - left, bottom - top) for columns, rows in found]
    return np.logical_or.reduce(masks).T if len(masks) > 1 else masks[0].T, top, left


def _fill(columns: Ints, rows: Ints, width: int, height: int) -> NDArray[np.bool_]:
    """Pixels (width, height) after an odd number of crossings in their column."""
    flat = columns * (height + 1) + rows
    changes = np.bincount(flat, minlength=width * (height + 1)).astype(np.uint8).reshape(width, height + 1)
    sides: NDArray[np.uint8] = np.bitwise_xor.accumulate(changes & 1, axis=1)
    return sides[:, :height].astype(bool)
