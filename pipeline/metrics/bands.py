"""Where a segmenter fails: accuracy by distance to the boundaries of the labels, and by height in the image."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import cv2
import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from foveate.pipeline.metrics.distances import in_pixels, name_distance
from foveate.pipeline.metrics.groups import Groups, Overlap, count_overlap, share
from foveate.pipeline.metrics.pixels import Maps, PixelMetric, Pixels
from foveate.pipeline.metrics.tables import FigureTable

PARTS = ("right", "labelled", "predicted")


class BandMetric(PixelMetric):
    """Base of figures in bands of pixels: accuracy and mean IoU of each band.

    Args:
        num_classes: Number of classes K.
        bands: Names of the bands.
    """

    right: Tensor
    labelled: Tensor
    predicted: Tensor
    name: str
    meaning: str

    def __init__(self, num_classes: int, bands: Sequence[str]) -> None:
        super().__init__(num_classes)
        self.bands = list(bands)
        for name in PARTS:
            self.add_counts(name, len(bands), num_classes)

    def add(self, pixels: Pixels) -> None:
        """Add a batch whose labels are known to be classes.

        Args:
            pixels: The batch.
        """
        for maps in pixels.maps:
            counts = count_overlap(maps, self.groups(maps), len(self.bands))
            for name in PARTS:
                state: Tensor = getattr(self, name)
                state += getattr(counts, name).to(state.device)

    def groups(self, maps: Maps) -> Groups:
        """The band of each pixel.

        Args:
            maps: Of one image.
        """
        raise NotImplementedError

    def tables(self, names: Sequence[str]) -> Sequence[FigureTable]:
        """Accuracy, mean IoU and pixels of each band.

        Args:
            names: The names of the classes.
        """
        shares = share(self._counts())
        columns = (part.tolist() for part in (shares.accuracy, shares.miou, shares.pixels))
        rows = [(band, list(figures)) for band, *figures in zip(self.bands, *columns, strict=True)]
        return [FigureTable(self.name, self.meaning, ("accuracy", "mIoU", "pixels"), rows, label="band")]

    def _counts(self) -> Overlap:
        return Overlap(self.right.cpu(), self.labelled.cpu(), self.predicted.cpu())


class ByDistance(BandMetric):
    """Accuracy in bands of distance to the nearest boundary between two labels; the scalar is that of the first band.

    The distance is counted in steps to one of the eight neighbours: a pixel beside another label has 1. The edge of
    the image is no boundary; that of ignored pixels is one.

    Args:
        num_classes: Number of classes K.
        distances: Upper ends of the bands: below 1 a share of the image's diagonal, else pixels.

    Raises:
        ValueError: The distances are none, below 0, or not in ascending order.
    """

    name = "by_distance"
    meaning = "accuracy by the distance to the nearest boundary between labels"

    def __init__(self, num_classes: int, distances: Sequence[float] = (1, 2, 4, 8, 16, 32, 64)) -> None:
        self.distances = check_ascending("distances", distances)
        super().__init__(num_classes, [*(f"up to {name_distance(end)}" for end in distances), "further"])

    def groups(self, maps: Maps) -> Groups:
        """The band of each pixel.

        Args:
            maps: Of one image.
        """
        ends = in_pixels(self.distances, *maps.labels.shape)
        return sort_into(maps.label_distances(ends[-1]), ends)

    def compute(self) -> Float[Tensor, ""]:
        """Accuracy in the band nearest to the boundaries; NaN where nothing was counted."""
        return share(self._counts()).accuracy[0]


class ByRow(BandMetric):
    """Accuracy in bands of height, from the top of the image to its bottom; the scalar is that of the worst band.

    Args:
        num_classes: Number of classes K.
        bands: How many bands of equal height.

    Raises:
        ValueError: There are less than 1 or more than 256 bands.
    """

    name = "by_row"
    meaning = "accuracy by height in the image, from its top to its bottom"

    def __init__(self, num_classes: int, bands: int = 16) -> None:
        if not 1 <= bands <= 256:
            raise ValueError(f"bands is from 1 to 256, not {bands}")
        edges = [f"{100 * number / bands:g}" for number in range(bands + 1)]
        super().__init__(num_classes, [f"{a} to {b} %" for a, b in pairwise(edges)])

    def groups(self, maps: Maps) -> Groups:
        """The band of each pixel: that in which its middle lies.

        Args:
            maps: Of one image.
        """
        height, width = maps.labels.shape
        rows = (2 * np.arange(height) + 1) * len(self.bands) // (2 * height)
        return np.broadcast_to(rows.astype(np.uint8)[:, None], (height, width))

    def compute(self) -> Float[Tensor, ""]:
        """The lowest accuracy of a band; NaN where nothing was counted."""
        accuracy = share(self._counts()).accuracy
        counted = accuracy[~accuracy.isnan()]
        return counted.min() if len(counted) else torch.tensor(torch.nan)


def sort_into(distances: Groups, ends: Sequence[int]) -> UInt8[np.ndarray, "H W"]:
    """The number of the first end that a distance does not exceed; their number if there is none.

    Args:
        distances: Whole numbers from 0.
        ends: In ascending order.
    """
    table = np.searchsorted(np.asarray(ends), np.arange(np.iinfo(distances.dtype).max + 1)).astype(np.uint8)
    return look_up(table, distances)


def look_up(table: UInt8[np.ndarray, " N"], places: Groups) -> UInt8[np.ndarray, "H W"]:
    """The values of a table at places; a table for bytes is looked up by OpenCV, which is ten times as fast.

    Args:
        table: A value for each place.
        places: Whole numbers from 0.
    """
    return np.asarray(cv2.LUT(places, table)) if places.dtype == np.uint8 else table[places]


def check_ascending(what: str, given: Sequence[float]) -> tuple[float, ...]:
    """Refuse distances or sizes that are none, not positive, or not in ascending order.

    Args:
        what: Their name, for the message.
        given: The numbers.

    Raises:
        ValueError: They are not as they should be.
    """
    numbers = tuple(given)
    if not numbers or numbers[0] <= 0 or any(a >= b for a, b in pairwise(numbers)):
        raise ValueError(f"{what} are positive numbers in ascending order, not {list(numbers)}")
    return numbers
