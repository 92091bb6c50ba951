"""Boundaries of label maps, and the distance of each pixel to them."""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np
from jaxtyping import Bool, Integer, UInt8, UInt16

Map = Integer[np.ndarray, "H W"]
Distances = UInt8[np.ndarray, "H W"] | UInt16[np.ndarray, "H W"]


def find_edges(labels: Map) -> Bool[np.ndarray, "H W"]:
    """The pixels that have a pixel with another label among their eight neighbours.

    Args:
        labels: A label map; whatever is left out of scores counts as a label of its own.
    """
    if labels.dtype == np.uint8:  # the smallest and the largest label among nine are equal: one label
        square = np.ones((3, 3), np.uint8)
        return np.asarray(cv2.dilate(labels, square) != cv2.erode(labels, square))
    edges = np.zeros(labels.shape, dtype=bool)
    for one, other in _neighbours(labels.shape):
        differs = labels[one] != labels[other]
        edges[one] |= differs
        edges[other] |= differs
    return edges


def _neighbours(shape: tuple[int, ...]) -> list[tuple[tuple[slice, slice], tuple[slice, slice]]]:
    """Views of a map and of the same map moved by one: right, down, and along both diagonals."""
    most = slice(None, -1), slice(1, None)
    return [
        ((slice(None), most[0]), (slice(None), most[1])),
        ((most[0], slice(None)), (most[1], slice(None))),
        ((most[0], most[0]), (most[1], most[1])),
        ((most[0], most[1]), (most[1], most[0])),
    ]


def measure_distances(edges: Bool[np.ndarray, "H W"], furthest: int) -> Distances:
    """Distance of each pixel to the nearest pixel with another label, in steps to one of eight neighbours.

    A pixel with another label among its neighbours has distance 1. One distance transform serves all classes, and is
    exact: on the way to the nearest pixel with another label, the last pixel but one is an edge, and an edge of
    another label's is no nearer than that.

    Args:
        edges: The edges of the label map (see `find_edges`).
        furthest: Larger distances are not told apart; they are `furthest` + 1.
    """
    kind = np.uint8 if furthest < 255 else np.uint16
    if not edges.any():
        return np.full(edges.shape, furthest + 1, dtype=kind)
    steps = cv2.distanceTransform(np.logical_not(edges).view(np.uint8), cv2.DIST_C, 3)  # chessboard: exact
    capped: Distances = np.minimum(steps, furthest, out=steps).astype(kind)
    capped += kind(1)
    return capped


def within_frame(distances: Distances) -> Distances:
    """The same distances where everything outside the image is another label.

    Args:
        distances: Distances inside the image, from 1.
    """
    height, width = distances.shape
    top = np.iinfo(distances.dtype).max
    rows, columns = (_to_ends(side, top).astype(distances.dtype) for side in (height, width))
    nearest: Distances = np.minimum(distances, rows[:, None])
    np.minimum(nearest, columns[None], out=nearest)
    return nearest


def _to_ends(side: int, top: int) -> Integer[np.ndarray, " side"]:
    steps = np.arange(1, side + 1)
    return np.minimum(np.minimum(steps, steps[::-1]), top)


def in_pixels(distances: Sequence[float], height: int, width: int, *, upwards: bool = False) -> list[int]:
    """Distances in whole pixels, at least 1.

    Args:
        distances: Below 1 a share of the image's diagonal, else pixels.
        height: Of the image.
        width: Of the image.
        upwards: Round up instead of to the nearest.

    Example:
        >>> in_pixels([0.02, 3], 1024, 2048)
        [46, 3]
    """
    diagonal = math.hypot(height, width)
    rounded = math.ceil if upwards else round
    return [max(1, rounded(given * diagonal)) if given < 1 else int(given) for given in distances]


def name_distance(distance: float) -> str:
    """A distance as a heading: `3 px` or `2 % of the diagonal`."""
    return f"{100 * distance:g} % of diagonal" if distance < 1 else f"{distance:g} px"
