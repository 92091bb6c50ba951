"""Run lengths: masks as the lengths of runs of pixels, outside first, as COCO and CVAT store them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from foveate.datasets.errors import DataError

Counts = NDArray[np.int64]
LARGEST = 1 << 40  # of a run; a damaged string gives larger ones


def unpack_counts(text: str, where: str) -> Counts:
    """Run lengths in COCO's compressed form, a text in which six bits a character hold differences of lengths.

    Args:
        text: The compressed form.
        where: The file and entry, for the message.

    Raises:
        DataError: It is damaged.

    Example:
        >>> unpack_counts("531", "example").tolist()
        [5, 3, 1]
    """
    coded = np.frombuffer(text.encode(), dtype=np.uint8).astype(np.int64) - 48
    ends = np.flatnonzero((coded & 0x20) == 0)
    if len(coded) and (coded.min() < 0 or coded.max() > 63 or len(ends) == 0 or ends[-1] != len(coded) - 1):
        raise DataError(f"{where}: damaged run lengths {text!r:.60}")
    starts = np.concatenate([[0], ends[:-1] + 1]) if len(ends) else ends
    digit = np.arange(len(coded)) - np.repeat(starts, ends - starts + 1)
    if len(digit) and digit.max() > 7:
        raise DataError(f"{where}: damaged run lengths {text!r:.60}")
    values = np.add.reduceat((coded & 0x1F) << 5 * digit, starts) if len(starts) else coded
    negative = (coded[ends] & 0x10) != 0
    values -= negative.astype(np.int64) << 5 * (ends - starts + 1)
    values[1::2] = np.cumsum(values[1::2])  # from the fourth on, each is told as the difference to the one before last
    values[2::2] = np.cumsum(values[2::2])
    return np.asarray(values, dtype=np.int64)


def check_counts(counts: object, size: int, where: str) -> Counts:
    """Run lengths that cover exactly so many pixels.

    Args:
        counts: What was read.
        size: Number of pixels.
        where: The file and entry, for the message.

    Raises:
        DataError: They are no whole numbers from 0 up, or cover another number of pixels.
    """
    try:
        found = np.asarray(counts)
    except ValueError:
        found = np.empty((0, 0))
    whole = found.ndim == 1 and (found.size == 0 or found.dtype.kind in "iu")
    if not whole or (found.size and not 0 <= found.min() <= found.max() < LARGEST):
        raise DataError(f"{where}: run lengths are a list of whole numbers, not {counts!s:.60}")
    if (total := int(found.sum())) != size:
        raise DataError(f"{where}: run lengths cover {total} pixels, but there are {size}")
    return found.astype(np.int64)


def expand(counts: Counts, height: int, width: int, *, by_column: bool) -> NDArray[np.bool_]:
    """The mask (height, width) of run lengths.

    Args:
        counts: Run lengths, outside first.
        height: Of the mask.
        width: Of the mask.
        by_column: Whether runs go down the columns, as COCO's do, or along the rows.

    Example:
        >>> expand(np.array([1, 2, 1]), 2, 2, by_column=False).astype(int).tolist()
        [[0, 1], [1, 0]]
    """
    pixels = np.repeat(np.arange(len(counts)) % 2 == 1, counts)
    return pixels.reshape(width, height).T if by_column else pixels.reshape(height, width)
