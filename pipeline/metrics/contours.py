"""Boundary F: how much of the predicted contours lies near labelled ones, and the other way round."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64, Integer, UInt8, UInt64
from torch import Tensor

from foveate.pipeline.metrics.boundary import check_positive
from foveate.pipeline.metrics.distances import in_pixels, name_distance
from foveate.pipeline.metrics.pixels import Maps, PixelMetric, Pixels
from foveate.pipeline.metrics.tables import FigureTable

WINDOW = 57  # bits of a word of 64 that can be used, wherever in its first byte they begin


class Contour(NamedTuple):
    """Pixels of an image that have a pixel of another class beside them, in reading order."""

    rows: Int64[np.ndarray, " N"]
    columns: Int64[np.ndarray, " N"]
    classes: Int64[np.ndarray, " N"]

    def keep(self, which: Integer[np.ndarray, " M"]) -> Contour:
        """Some of the pixels."""
        return Contour(self.rows[which], self.columns[which], self.classes[which])


class BoundaryF(PixelMetric):
    """F measure of contours, for each class and tolerance, and its mean over classes.

    Precision is the share of a class's predicted contour that has a pixel of its labelled contour within a tolerance;
    recall the share of the labelled contour that has one of the predicted. The contour of a class has its pixels beside
    another class or beside ignored pixels (one of eight neighbours); the edge of the image is no contour. Distance is
    Euclidean. Counts are summed over the data set. The scalar is the mean over classes at the first tolerance.

    Args:
        num_classes: Number of classes K.
        tolerances: Below 1 a share of the image's diagonal, rounded up to pixels, else pixels.

    Raises:
        ValueError: A tolerance is not positive, or there is none.

    Source:
        Csurka et al. 2013, What is a good evaluation measure for semantic segmentation?; Perazzi et al. 2016, DAVIS.
        The default tolerances, 3, 5, 9 and 12 pixels of Cityscapes' images, are those of Takikawa et al. 2019
        (Gated-SCNN, arXiv:1907.05740), who average over images instead of summing counts.
    """

    matched_labelled: Tensor
    matched_predicted: Tensor
    labelled: Tensor
    predicted: Tensor

    def __init__(self, num_classes: int, tolerances: Sequence[float] = (0.00088, 0.001875, 0.00375, 0.005)) -> None:
        super().__init__(num_classes)
        self.tolerances = check_positive("tolerances", tolerances)
        for name in ("matched_labelled", "matched_predicted"):
            self.add_counts(name, len(self.tolerances), num_classes)
        for name in ("labelled", "predicted"):
            self.add_counts(name, num_classes)

    def add(self, pixels: Pixels) -> None:
        """Add a batch whose labels are known to be classes.

        Args:
            pixels: The batch.
        """
        for maps in pixels.maps:
            radii = in_pixels(self.tolerances, *maps.labels.shape, upwards=True)
            labelled, predicted = _contours(maps)
            self.labelled += self._counted(labelled.classes)
            self.predicted += self._counted(predicted.classes)
            shape = maps.labels.shape
            self.matched_labelled += self._counted_within(labelled, predicted, radii, shape)
            self.matched_predicted += self._counted_within(predicted, labelled, radii, shape)

    def compute(self) -> Float[Tensor, ""]:
        """The mean over classes at the first tolerance; NaN where no class has a contour."""
        return self._f()[0].nanmean().float()

    def tables(self, names: Sequence[str]) -> Sequence[FigureTable]:
        """The F measure of each class at each tolerance, and the means.

        Args:
            names: The names of the classes.
        """
        f = self._f()
        rows = [(name, f[:, place].tolist()) for place, name in enumerate(names)]
        means = [("mean", f.nanmean(1).tolist())]
        columns = [name_distance(tolerance) for tolerance in self.tolerances]
        return [FigureTable("boundary_f", "F measure of the contours, within a tolerance", columns, rows, means=means)]

    def _f(self) -> Float[Tensor, "T K"]:
        precision = self.matched_predicted.double() / self.predicted
        recall = self.matched_labelled.double() / self.labelled
        f = 2 * precision * recall / (precision + recall)
        either = (self.labelled + self.predicted > 0).expand_as(f)
        return torch.where(either, f.nan_to_num(0.0), f)

    def _counted(self, classes: Int64[np.ndarray, " N"]) -> Int64[Tensor, " K"]:
        return torch.bincount(torch.from_numpy(classes), minlength=self.num_classes).to(self.labelled.device)

    def _counted_within(
        self, contour: Contour, other: Contour, radii: Sequence[int], shape: tuple[int, ...]
    ) -> Int64[Tensor, "T K"]:
        order = np.argsort(radii, kind="stable")
        reached = match(contour, other, [radii[place] for place in order], shape)
        counts = [self._counted(contour.classes[reached <= place]) for place in range(len(radii))]
        return torch.stack(counts)[np.argsort(order).tolist()]


def _contours(maps: Maps) -> tuple[Contour, Contour]:
    """The contours of the labels and of the prediction, without ignored pixels."""
    both = ((maps.labels, maps.label_edges), (maps.predicted, maps.predicted_edges))
    labelled, predicted = (_contour(classes, edges, maps.num_classes) for classes, edges in both)
    return labelled, predicted


def _contour(classes: Integer[np.ndarray, "H W"], edges: Bool[np.ndarray, "H W"], num_classes: int) -> Contour:
    places = np.flatnonzero(edges)
    found = classes.ravel()[places].astype(np.int64)
    kept = found < num_classes
    rows, columns = np.divmod(places[kept], classes.shape[1])
    return Contour(rows, columns, found[kept])


def match(contour: Contour, other: Contour, radii: Sequence[int], shape: tuple[int, ...]) -> Int64[np.ndarray, " N"]:
    """For each pixel of a contour the first radius within which the other contour has a pixel of its class.

    The other contour is kept as bits, one for each pixel and class. So one look at a word answers whether there is a
    pixel among 57 beside each other; a disk of radius r takes 2 r + 1 looks, whatever the number of classes.

    Args:
        contour: The pixels that are asked about.
        other: The pixels that are looked for.
        radii: In ascending order.
        shape: Height and width of the image.

    Returns:
        Places in `radii`; their number where there is none.
    """
    reached = np.full(len(contour.rows), len(radii), dtype=np.int64)
    bits = Bits(other, radii[-1], shape)
    asked = np.flatnonzero(bits.has_class(contour.classes))
    for level, radius in enumerate(radii):
        located = bits.locate(contour.keep(asked))
        hit = np.zeros(len(asked), dtype=bool)
        for down, right, mask in _disk(radius):
            hit |= bits.window(*located, down, right) & mask != 0
        reached[asked[hit]] = level
        asked = asked[~hit]
    return reached


def _disk(radius: int) -> Iterator[tuple[int, int, np.uint64]]:
    """The rows of a disk in pieces of a window's width: step down, first column, and a bit for each column."""
    for down in sorted(range(-radius, radius + 1), key=abs):
        half = math.isqrt(radius**2 - down**2)
        for first in range(-half, half + 1, WINDOW):
            yield down, first, np.uint64((1 << min(WINDOW, half + 1 - first)) - 1)


class Bits:
    """A contour as bits in rows of bytes, one plane for each class in it, with a margin of zeros.

    Args:
        contour: The pixels.
        margin: How far outside the image will be asked.
        shape: Height and width of the image.
    """

    def __init__(self, contour: Contour, margin: int, shape: tuple[int, ...]) -> None:
        height, width = shape
        self.margin = margin
        self.stride = (width + 2 * margin + WINDOW) // 8 + 2
        self.height = height + 2 * margin
        present = np.unique(contour.classes)
        most = int(present[-1]) + 1 if len(present) else 0
        self.planes = np.full(most + 1, -1, dtype=np.int64)
        self.planes[present] = np.arange(len(present))
        size = len(present) * self.height * self.stride + 8
        self.bytes = self._filled(contour, size)
        self.words: UInt64[np.ndarray, " M"] = np.ndarray((size - 7,), dtype="<u8", buffer=self.bytes, strides=(1,))

    def has_class(self, classes: Int64[np.ndarray, " N"]) -> Bool[np.ndarray, " N"]:
        """Which of some classes have a plane."""
        return np.asarray(self.planes[np.minimum(classes, len(self.planes) - 1)] >= 0)

    def locate(self, contour: Contour) -> tuple[Int64[np.ndarray, " N"], Int64[np.ndarray, " N"]]:
        """The first byte of each pixel's row in the plane of its class, and its bit in the row.

        Args:
            contour: Pixels of classes that have a plane.
        """
        rows = self.planes[contour.classes] * self.height + contour.rows + self.margin
        return rows * self.stride, contour.columns + self.margin

    def window(
        self, begins: Int64[np.ndarray, " N"], bits: Int64[np.ndarray, " N"], down: int, right: int
    ) -> UInt64[np.ndarray, " N"]:
        """The bits of each pixel's own class beside each other, from a place relative to it.

        Args:
            begins: First bytes of rows (see `locate`).
            bits: Bits in the rows.
            down: Rows below the pixels.
            right: Columns right of them, of the first bit.
        """
        columns = bits + right
        words: UInt64[np.ndarray, " N"] = self.words[begins + (columns >> 3) + down * self.stride]
        words >>= (columns & 7).view(np.uint64)
        return words

    def _filled(self, contour: Contour, size: int) -> UInt8[np.ndarray, " size"]:
        begins, columns = self.locate(contour)
        filled = np.zeros(size, dtype=np.uint8)
        # Each bit is set once, so that adding is the same as setting, and faster.
        np.add.at(filled, begins + (columns >> 3), np.left_shift(1, columns & 7).astype(np.uint8))
        return filled
