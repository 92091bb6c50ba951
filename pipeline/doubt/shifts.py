"""Objects whose label is displaced: moved by some pixels it would fit what the network sees."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np

from foveate.pipeline.doubt.maps import Maps
from foveate.pipeline.doubt.regions import Box, Flags, Region, around, box_of

FITS = 0.6  # least overlap (IoU) of the moved label and the predicted object
GAIN = 0.15  # least gain of overlap by the move
LARGEST = 0.1  # share of the image; larger areas, such as a road, are no objects
REACH = 0.75  # of the square root of an object's area: how far it may be displaced
Overlap = tuple[float, float, int]  # as it is, moved, and the distance in pixels (of the larger coordinate)


def find_shifts(maps: Maps, *, band: int, min_area: int) -> tuple[list[Region], Flags]:
    """The displaced objects of an image, and the pixels that are wrong by them (H, W).

    Args:
        maps: Label and prediction.
        band: Pixels by which a label may be off without a doubt.
        min_area: Smallest area of an object, in pixels.
    """
    told = np.zeros(maps.label.shape, dtype=bool)
    found = []
    for box, mask, number in _objects(maps, min_area):
        region = _displaced(maps, box, mask, number, band, told)
        if region is not None:
            found.append(region)
    return found, told


def _objects(maps: Maps, min_area: int) -> Iterator[tuple[Box, Flags, int]]:
    """Connected labelled areas that are no background: box, mask in it, and class."""
    differ = (maps.label != maps.predicted) & maps.is_labelled
    for number in np.unique(maps.label[differ]):
        count, parts, stats, _ = cv2.connectedComponentsWithStats((maps.label == number).astype(np.uint8))
        for part in range(1, count):
            x, y, width, height, area = (int(value) for value in stats[part])
            if min_area <= area <= LARGEST * parts.size:
                mask = parts[y : y + height, x : x + width] == part
                yield (x, y, x + width, y + height), mask, int(number)


def _displaced(maps: Maps, box: Box, mask: Flags, number: int, band: int, told: Flags) -> Region | None:
    """A region if an object is displaced; its wrong pixels are then marked in `told`."""
    reach = max(2, round(REACH * float(mask.sum()) ** 0.5))
    window = around(box, reach, maps.label.shape)
    part = maps.cut(window)
    start = box[1] - window[0].start, box[0] - window[1].start
    labelled = np.zeros(part.label.shape, dtype=bool)
    labelled[start[0] : start[0] + mask.shape[0], start[1] : start[1] + mask.shape[1]] = mask
    predicted = _sharing_most(part.predicted == number, labelled)
    before, after, distance = _overlaps(predicted, mask, start)
    if distance <= band or after < FITS or after - before < GAIN:
        return None
    wrong = part.is_labelled & (labelled ^ predicted) & (part.label != part.predicted)
    told[window] |= wrong
    return Region(
        kind="shift",
        box=box_of(wrong, window),
        area=int(wrong.sum()),
        labelled=number,
        predicted=number,
        confidence=float(part.of_predicted[wrong].mean(dtype=np.float64)),
        label_confidence=float(part.of_label[wrong].mean(dtype=np.float64)),
    )


def _sharing_most(predicted: Flags, labelled: Flags) -> Flags:
    """The connected predicted area that shares most pixels with a label; empty if none does."""
    _, parts = cv2.connectedComponents(predicted.astype(np.uint8))
    shared = np.bincount(parts[labelled & predicted], minlength=1)
    return np.asarray((parts == int(shared.argmax())) & (len(shared) > 1))


def _overlaps(predicted: Flags, mask: Flags, start: tuple[int, int]) -> Overlap:
    """Overlap (IoU) of a predicted area with a mask at its place, and moved to where it fits best."""
    shared = np.asarray(cv2.matchTemplate(predicted.astype(np.float32), mask.astype(np.float32), cv2.TM_CCORR))
    total = int(predicted.sum()) + int(mask.sum())
    overlaps = shared / np.maximum(total - shared, 1)
    row, column = divmod(int(overlaps.argmax()), overlaps.shape[1])
    return float(overlaps[start]), float(overlaps.max()), max(abs(row - start[0]), abs(column - start[1]))
