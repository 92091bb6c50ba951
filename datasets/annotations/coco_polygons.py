"""Which pixels a polygon covers by the rule of COCO's own tools, exactly, in NumPy.

Vertices are rounded to a grid of a fifth of a pixel. Where the outline passes the centre of a column of pixels, the
column changes between inside and outside. Each edge is computed as a whole, where COCO's C code walks it step by step.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from foveate.datasets.annotations.model import Ring

STEPS = 5  # of the grid in a pixel
CENTRE = 2  # the step on whose right side the centre of a pixel lies
Ints = NDArray[np.int64]
LIMIT = float(1 << 28)  # pixels; coordinates beyond are cut off, since COCO's tools count in 32 bits
Part = tuple[NDArray[np.bool_], int, int]  # pixels of a part of the image, and the row and the column of the first


@dataclass(frozen=True)
class Crossings:
    """Where the outlines of polygons pass the centres of columns; each column has an even number for each polygon.

    Attributes:
        columns: 0 to the width - 1.
        rows: Row, 0 to the height, from which on the column changes between inside and outside.
        ends: For each polygon, the position behind its last crossing.
    """

    columns: Ints
    rows: Ints
    ends: Ints


def find_crossings(rings: Sequence[Ring], height: int, width: int) -> Crossings:
    """Where the outlines of many polygons pass the centres of columns, all at once.

    Args:
        rings: The polygons, each (N, 2), of one point or more.
        height: Of the image.
        width: Of the image.
    """
    points = np.concatenate(rings).clip(-LIMIT, LIMIT)
    ends = np.cumsum([len(ring) for ring in rings])
    following = np.arange(1, len(points) + 1)
    following[ends - 1] = np.concatenate([[0], ends[:-1]])  # the last point of a polygon leads to its first
    x, y = np.trunc(STEPS * points + 0.5).astype(np.int64).T  # towards zero, as C does
    xs, ys, xe, ye = _left_to_right(x, y, x[following], y[following])
    first = np.maximum((xs + (STEPS - 1 - CENTRE)) // STEPS, 0)
    last = np.minimum((xe - CENTRE - 1) // STEPS, width - 1)
    counts = np.maximum(last - first + 1, 0)
    behind = np.cumsum(counts)
    edge = np.repeat(np.arange(len(x)), counts)
    columns = np.arange(len(edge)) + (first - behind + counts)[edge]
    rows = _rows_at(columns * STEPS + CENTRE, xs[edge], ys[edge], xe[edge], ye[edge])
    return Crossings(columns, np.clip((rows + CENTRE) // STEPS, 0, height), behind[ends - 1])


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


def polygon_masks(shapes: Sequence[tuple[Ring, ...]], height: int, width: int) -> Iterator[Part | None]:
    """What each of several shapes covers; a shape covers all that any of its polygons does.

    Args:
        shapes: The polygons of each shape.
        height: Of the image.
        width: Of the image.

    Yields:
        A part of the image for each shape; None for one that covers no pixel.

    Example:
        >>> square = np.array([[1, 1], [4, 1], [4, 3], [1, 3]], dtype=float)
        >>> ((mask, top, left),) = polygon_masks([(square,)], 10, 10)
        >>> mask.shape, mask.all(), top, left
        ((2, 3), np.True_, 1, 1)
    """
    shapes = [tuple(ring for ring in rings if len(ring)) for rings in shapes]
    rings = [ring for shape in shapes for ring in shape]
    found = find_crossings(rings, height, width) if rings else None
    ends = [0, *(found.ends.tolist() if found is not None else [])]
    done = 0
    for shape in shapes:
        slices = [slice(*ends[number : number + 2]) for number in range(done, done + len(shape))]
        done += len(shape)
        passing = [one for one in slices if one.start < one.stop]
        yield _cover(found, passing) if found is not None and passing else None


def _cover(found: Crossings, slices: Sequence[slice]) -> Part | None:
    """The union of the polygons whose crossings lie at some positions."""
    whole = slice(slices[0].start, slices[-1].stop)
    columns, rows = found.columns[whole], found.rows[whole]
    left, top = int(columns.min()), int(rows.min())
    width, height = int(columns.max()) + 1 - left, int(rows.max()) - top
    if height == 0:
        return None
    masks = [_fill(found.columns[one] - left, found.rows[one] - top, width, height) for one in slices]
    return np.logical_or.reduce(masks).T if len(masks) > 1 else masks[0].T, top, left


def _fill(columns: Ints, rows: Ints, width: int, height: int) -> NDArray[np.bool_]:
    """Pixels (width, height) after an odd number of crossings in their column."""
    flat = columns * (height + 1) + rows
    changes = np.bincount(flat, minlength=width * (height + 1)).astype(np.uint8).reshape(width, height + 1)
    sides: NDArray[np.uint8] = np.bitwise_xor.accumulate(changes & 1, axis=1)
    return sides[:, :height].astype(bool)
