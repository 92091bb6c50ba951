"""Counts how often numbers meet in label maps, by C++ where it is available."""

from __future__ import annotations

import ctypes

import cv2
import numpy as np
from jaxtyping import Int64, Integer, UInt8

from foveate.pipeline.scoring.native import native

BYTES = 256  # values of a byte
SHORTS = 65536  # values of two bytes
EXACT = 2**24  # pixels that OpenCV counts at once: its counters are floats, which hold whole numbers up to there
Numbers = UInt8[np.ndarray, "H W"]


def count_values(one: Numbers, other: Numbers) -> Int64[np.ndarray, "256 256"]:
    """How often each pair of numbers lies at the same place.

    Args:
        one: The numbers that rows stand for.
        other: The numbers that columns stand for.

    Example:
        >>> counts = count_values(np.array([[7, 7, 9]], np.uint8), np.array([[1, 1, 2]], np.uint8))
        >>> int(counts[7, 1]), int(counts[9, 2]), int(counts.sum())
        (2, 1, 3)
    """
    counts = np.zeros((BYTES, BYTES), dtype=np.int64)
    library = native()
    if library is not None:
        library.count_values(_pointer(one), _pointer(other), ctypes.c_long(one.size), _pointer(counts))
        return counts
    rows = max(1, EXACT // max(1, one.shape[1]))
    for start in range(0, one.shape[0], rows):
        part = [np.ascontiguousarray(array[start : start + rows]) for array in (one, other)]
        counts += cv2.calcHist(part, [0, 1], None, [BYTES, BYTES], [0, BYTES, 0, BYTES]).astype(np.int64)
    return counts


def count_regions(
    ids: Integer[np.ndarray, "H W"], values: Numbers, above: int
) -> tuple[Int64[np.ndarray, " N"], Int64[np.ndarray, "N 256"]]:
    """How often each number lies in each of some regions.

    Args:
        ids: The region of each pixel.
        values: The numbers that are counted.
        above: Regions of ids up to this one are left out.

    Returns:
        The ids of the regions, sorted, and a row of counts for each.
    """
    library = native()
    if library is None or ids.dtype != np.uint16:
        return _regions_by_numpy(ids, values, above)
    present = np.zeros(SHORTS, dtype=np.uint8)
    size = ctypes.c_long(ids.size)
    library.find_values(_pointer(ids), size, _pointer(present))
    found = np.flatnonzero(present[above + 1 :]) + above + 1
    rows = np.full(SHORTS, -1, dtype=np.int32)
    rows[found] = np.arange(len(found))
    counts = np.zeros((len(found), BYTES), dtype=np.int64)
    library.count_rows(_pointer(ids), _pointer(values), size, _pointer(rows), _pointer(counts))
    return found, counts


def _regions_by_numpy(
    ids: Integer[np.ndarray, "H W"], values: Numbers, above: int
) -> tuple[Int64[np.ndarray, " N"], Int64[np.ndarray, "N 256"]]:
    inside = ids > above
    found, rows = np.unique(ids[inside], return_inverse=True)
    counts = np.bincount(rows.reshape(-1) * BYTES + values[inside], minlength=len(found) * BYTES)
    return found.astype(np.int64), counts.reshape(len(found), BYTES).astype(np.int64)


def _pointer(array: np.ndarray) -> ctypes.c_void_p:
    """Where the numbers of an array without gaps lie."""
    assert array.flags.c_contiguous
    return array.ctypes.data_as(ctypes.c_void_p)
