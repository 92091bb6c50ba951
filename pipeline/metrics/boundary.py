"""Boundary IoU: the overlap of predicted and labelled regions near their boundaries."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int64
from torch import Tensor

from foveate.pipeline.metrics.bands import sort_into
from foveate.pipeline.metrics.distances import in_pixels, name_distance, within_frame
from foveate.pipeline.metrics.groups import count_by_class
from foveate.pipeline.metrics.pixels import Maps, PixelMetric, Pixels
from foveate.pipeline.metrics.tables import FigureTable


class BoundaryIoU(PixelMetric):
    """Intersection over union of the boundary bands of labelled and predicted regions, for each class, and its mean.

    The band of a class has the pixels of the class within a distance of a pixel of another class, of an ignored pixel,
    or of the outside of the image. Counts are summed over the data set, as those of IoU are. The scalar is the mean
    over classes at the first distance.

    Args:
        num_classes: Number of classes K.
        distances: Widths of the band: below 1 a share of the image's diagonal, else pixels.

    Raises:
        ValueError: A distance is not positive, or there is none.

    Source:
        Cheng et al. 2021, Boundary IoU (arXiv:2103.16562), equation 1. As in the authors' code, distance is counted in
        erosions by a square of 3 x 3, the outside of the image is another class, and the default is 2 % of the
        diagonal. Theirs is of binary masks of objects; ignored pixels are our addition.
    """

    both: Tensor
    labelled: Tensor
    predicted: Tensor

    def __init__(self, num_classes: int, distances: Sequence[float] = (0.02, 3, 5)) -> None:
        super().__init__(num_classes)
        self.distances = check_positive("distances", distances)
        for name in ("both", "labelled", "predicted"):
            self.add_counts(name, len(self.distances), num_classes)

    def add(self, pixels: Pixels) -> None:
        """Add a batch whose labels are known to be classes.

        Args:
            pixels: The batch.
        """
        for maps in pixels.maps:
            ends = in_pixels(self.distances, *maps.labels.shape)
            order = np.argsort(ends, kind="stable")
            found = _count(maps, [ends[place] for place in order], self.num_classes)
            for name, counts in zip(("both", "labelled", "predicted"), found, strict=True):
                state: Tensor = getattr(self, name)
                state[order.tolist()] += counts.to(state.device)

    def compute(self) -> Float[Tensor, ""]:
        """The mean over classes at the first distance; NaN where no class has a boundary."""
        return self._iou()[0].nanmean().float()

    def tables(self, names: Sequence[str]) -> Sequence[FigureTable]:
        """Boundary IoU of each class at each distance, and the means.

        Args:
            names: The names of the classes.
        """
        iou = self._iou()
        rows = [(name, iou[:, place].tolist()) for place, name in enumerate(names)]
        means = [("mean", iou.nanmean(1).tolist())]
        columns = [name_distance(distance) for distance in self.distances]
        return [
            FigureTable("boundary", "IoU of the pixels within a distance of a boundary", columns, rows, means=means)
        ]

    def _iou(self) -> Float[Tensor, "D K"]:
        both = self.both.double()
        return both / (self.labelled + self.predicted - both)


def _count(maps: Maps, ends: Sequence[int], num_classes: int) -> list[Int64[Tensor, "D K"]]:
    """Pixels in both bands, in that of the labels and in that of the prediction, up to each end (ascending)."""
    labels = sort_into(within_frame(maps.label_distances(ends[-1])), ends)
    predicted = sort_into(within_frame(maps.predicted_distances(ends[-1])), ends)
    right = np.where(maps.right, np.maximum(labels, predicted), np.uint8(len(ends)))
    groups = ((maps.labels, right), (maps.labels, labels), (maps.predicted, predicted))
    return [count_by_class(classes, levels, len(ends), num_classes).cumsum(0) for classes, levels in groups]


def check_positive(what: str, given: Sequence[float]) -> tuple[float, ...]:
    """Refuse distances that are none or not positive; numbers of 1 and more are whole pixels.

    Args:
        what: Their name, for the message.
        given: The numbers.

    Raises:
        ValueError: They are not as they should be.
    """
    numbers = tuple(given)
    if not 1 <= len(numbers) <= 250 or any(n <= 0 or (n >= 1 and n != int(n)) for n in numbers):
        raise ValueError(
            f"{what} are shares of the image's diagonal between 0 and 1, or whole pixels, not {list(numbers)}"
        )
    return numbers
