"""Connected regions of an image where the network contradicts its labels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from foveate.pipeline.doubt.maps import Maps

Kind = Literal["class", "missing", "shift", "image"]
Box = tuple[int, int, int, int]  # x0, y0, x1, y1; the last two lie outside
Flags = NDArray[np.bool_]
Window = tuple[slice, slice]  # rows and columns
RING = 2  # pixels round a region whose labels say what lies around it
AGREED = -1.0  # in a map of pairs: label and prediction agree, or there is no label


@dataclass(frozen=True, kw_only=True)
class Region:
    """A region with one label and one prediction.

    Attributes:
        kind: `missing`: it lies in a larger area of its label; `class`: it is that area; `shift`: an object whose
            label is displaced; `image`: a whole image of a classifier.
        box: x0, y0, x1, y1 in pixels; the last two lie outside.
        area: Pixels.
        labelled: The class of the label.
        predicted: The class that the network predicts.
        confidence: Mean probability of the predicted class, away from the region's border.
        label_confidence: Mean probability of the label there.
    """

    kind: Kind
    box: Box
    area: int
    labelled: int
    predicted: int
    confidence: float
    label_confidence: float


def find_regions(maps: Maps, *, band: int, min_area: int, told: Flags | None = None) -> Iterator[Region]:
    """The regions of an image, without those that are thin.

    A region is what is left of a connected area of one label and one prediction when its border, `band` pixels wide, is
    taken away, widened by as much again. So networks that are imprecise along borders raise no doubt, and a bridge
    thinner than twice the band does not join two regions.

    Args:
        maps: Label and prediction.
        band: Pixels of the border.
        min_area: Smallest area of a region, in pixels.
        told: Pixels that are told of already.
    """
    pairs = pair_map(maps, told)
    square = np.ones((2 * band + 1, 2 * band + 1), np.uint8)
    inside = (cv2.erode(pairs, square) == cv2.dilate(pairs, square)) & (pairs != AGREED)
    count, parts, stats, _ = cv2.connectedComponentsWithStats(inside.astype(np.uint8), connectivity=8)
    for part in range(1, count):  # neighbours in `inside` lie in each other's window, so that a part is of one pair
        x, y, width, height = (int(value) for value in stats[part, :4])
        window = around((x, y, x + width, y + height), band + RING, pairs.shape)
        region = _region(maps.cut(window), pairs[window], parts[window] == part, square, window)
        if region.area >= min_area:
            yield region


def pair_map(maps: Maps, told: Flags | None = None) -> NDArray[np.float32]:
    """A number for each pair of label and prediction (H, W); -1 where they agree or there is no label.

    Args:
        maps: Label and prediction.
        told: Pixels that are taken as agreed.
    """
    doubted = maps.is_labelled & (maps.label != maps.predicted)
    if told is not None:
        doubted &= ~told
    numbers = maps.label * 1024 + maps.predicted  # exact in float32, which OpenCV's filters take
    return np.where(doubted, numbers, AGREED).astype(np.float32)


def around(box: Box, margin: int, size: tuple[int, ...]) -> Window:
    """A window that is larger than a box by a margin, inside the image.

    Args:
        box: In pixels.
        margin: On each side.
        size: Height and width of the image.
    """
    rows = slice(max(0, box[1] - margin), min(size[0], box[3] + margin))
    return rows, slice(max(0, box[0] - margin), min(size[1], box[2] + margin))


def box_of(flags: Flags, window: Window) -> Box:
    """The smallest box round what is set.

    Args:
        flags: A window of an image; something is set.
        window: Where it lies.
    """
    rows, columns = (np.flatnonzero(flags.any(axis=axis)) for axis in (1, 0))
    top, left = int(window[0].start), int(window[1].start)
    return left + int(columns[0]), top + int(rows[0]), left + int(columns[-1]) + 1, top + int(rows[-1]) + 1


def _region(maps: Maps, pairs: NDArray[np.float32], core: Flags, square: NDArray[np.uint8], window: Window) -> Region:
    """A region from its core, within a window of the image."""
    row, column = (int(numbers[0]) for numbers in np.nonzero(core))
    labelled, predicted = int(maps.label[row, column]), int(maps.predicted[row, column])
    grown = (cv2.dilate(core.astype(np.uint8), square) > 0) & (pairs == pairs[row, column])
    return Region(
        kind="missing" if _continues(maps, grown, labelled) else "class",
        box=box_of(grown, window),
        area=int(grown.sum()),
        labelled=labelled,
        predicted=predicted,
        confidence=float(maps.of_predicted[core].mean(dtype=np.float64)),
        label_confidence=float(maps.of_label[core].mean(dtype=np.float64)),
    )


def _continues(maps: Maps, region: Flags, labelled: int) -> bool:
    """Whether a region's label goes on around most of it."""
    near = cv2.dilate(region.astype(np.uint8), np.ones((2 * RING + 1, 2 * RING + 1), np.uint8)) > 0
    ring = near & ~region & maps.is_labelled
    return bool(ring.any()) and float((maps.label[ring] == labelled).mean()) >= 0.5
