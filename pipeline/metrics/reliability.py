"""Calibration in full: errors with equal bins, with bins of equal mass, for each class, and the reliability curve."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Float64, Int64, Integer, Shaped
from torch import Tensor

from foveate.datasets.labels import IGNORE
from foveate.pipeline.metrics.confusion import check_channels, check_classes
from foveate.pipeline.metrics.pixels import Pixels, SharedMetric
from foveate.pipeline.metrics.tables import FigureTable
from foveate.plugins.ops.native import calibration as native

SLAB = 2**19  # logits looked at together on a CPU: few enough for its cache
ONE = 2**24  # confidences are summed in whole numbers of 1 / ONE, so that sums do not depend on their order
OCTAVES, STEPS = 23, 1024  # fine bins: each halving of 1 - confidence in steps; float32 holds no smaller one
FINE = OCTAVES * STEPS + 1
CURVE = ("confidence", "accuracy", "count")


class Adaptive(NamedTuple):
    """The error with bins of equal mass, and how far it can be from that with exactly equal masses."""

    error: float
    bound: float


class Tally(NamedTuple):
    """For each bin: how many, how many of them right, and the sum of their confidences in units of 1 / ONE."""

    counts: Int64[Tensor, "*bins"]
    right: Int64[Tensor, "*bins"]
    confidence: Int64[Tensor, "*bins"]


class Spread(NamedTuple):
    """The probabilities of N pixels or images, as far as they are looked at one by one.

    Attributes:
        confidence: The largest probability of each.
        rest: One minus that, without loss of digits.
        mass: The sum of each class's probabilities over what is valid, in units of 1 / ONE.
        classes: The class of each further probability above the lowest bin, of what is valid.
        places: The number of its pixel or image.
        others: The probability.
    """

    confidence: Float[Tensor, " N"]
    rest: Float[Tensor, " N"]
    mass: Int64[Tensor, " K"]
    classes: Int64[Tensor, " M"]
    places: Int64[Tensor, " M"]
    others: Float[Tensor, " M"]


def _slabs(logits: Float[Tensor, "K N"], *others: Shaped[Tensor, " N"]) -> Iterator[tuple[Tensor, ...]]:
    """Parts of an image, on a CPU such that fit its cache."""
    size = max(1, SLAB // len(logits)) if logits.device.type == "cpu" else max(1, logits.shape[1])
    yield from zip(torch.split(logits, size, 1), *(torch.split(given, size) for given in others), strict=True)


def spread_out(
    logits: Float[Tensor, "K N"],
    largest: Float[Tensor, " N"],
    predicted: Int64[Tensor, " N"],
    valid: Bool[Tensor, " N"],
    bins: int,
    *,
    apart: bool,
) -> Spread:
    """The probabilities of logits.

    Args:
        logits: Of pixels or images.
        largest: The largest logit of each.
        predicted: The class of the largest.
        valid: What is not left out.
        bins: Number of bins of probability; those in the lowest are only summed.
        apart: Round each probability before it is summed, so that sums of images do not depend on which of them are
            together. Parts of a label map are always the same, and are summed several times as fast.
    """
    powers = _exp_(logits.float() - largest.float())
    total = powers.sum(0)
    confidence = total.reciprocal()
    weights = confidence * valid
    mass = (powers * weights * ONE).round_().double().sum(1) if apart else (powers @ weights).double() * ONE
    powers.scatter_(0, predicted[None], 0.0)
    found = _find_above(powers, torch.where(valid, total / bins, torch.inf))
    classes = found.div(len(total), rounding_mode="floor") if len(total) else found
    places = found - classes * len(total)
    others = powers.flatten()[found] * confidence[places]
    return Spread(confidence, (total - 1) * confidence, mass.round_().long(), classes, places, others)


def _exp_(values: Float[Tensor, "K N"]) -> Float[Tensor, "K N"]:
    """The exponential, in place; on a CPU by NumPy, which takes a third of the time."""
    if values.device.type != "cpu":
        return values.exp_()
    array = values.numpy()
    np.exp(array, out=array)
    return values


def _find_above(values: Float[Tensor, "K N"], least: Float[Tensor, " N"]) -> Int64[Tensor, " M"]:
    """The flat places of the values above those of `least`; on a CPU by NumPy, which takes an eighth of the time."""
    if values.device.type != "cpu":
        return torch.nonzero((values > least).flatten()).flatten()
    return torch.from_numpy(np.flatnonzero(values.numpy() > least.numpy()))


def _sort(confidence: Float[Tensor, " N"], bins: int) -> Int64[Tensor, " N"]:
    """The bin of each; bins exclude their lower edge."""
    return (confidence * bins).ceil_().long().clamp_(1, bins).sub_(1)


def _finely(rest: Float[Tensor, " N"]) -> Int64[Tensor, " N"]:
    """The fine bin of one minus a confidence: exponent and first ten digits of the number; larger is less certain."""
    digits = STEPS.bit_length() - 1
    lowest = (127 - OCTAVES) * STEPS
    place = (rest.contiguous().view(torch.int32) >> (23 - digits)).sub_(lowest - 1)
    return place.clamp_(0, FINE - 1).long()


def _tally(place: Int64[Tensor, " N"], right: Bool[Tensor, " N"], confidence: Float[Tensor, " N"], bins: int) -> Tally:
    """Count by bins; what is in the bin after the last is left out."""
    pairs = torch.bincount((2 * place).add_(right), minlength=2 * bins + 2)[: 2 * bins].view(bins, 2)
    sums = torch.bincount(place, (confidence * ONE).round_().double(), minlength=bins + 1)  # whole numbers: exact
    return Tally(pairs.sum(1), pairs[:, 1], sums[:bins].long())


def _gap(
    counts: Int64[Tensor, "*K bins"], right: Int64[Tensor, "*K bins"], confidence: Int64[Tensor, "*K bins"]
) -> Float64[Tensor, "*K"]:
    """The gap between mean confidence and accuracy, averaged over what was counted."""
    return (confidence.double() / ONE - right).abs().sum(-1) / counts.sum(-1)


def merge_evenly(
    counts: Int64[Tensor, " F"], right: Int64[Tensor, " F"], confidence: Int64[Tensor, " F"], bins: int
) -> Adaptive:
    """The gap over bins of equal mass, made of neighbouring fine bins.

    A fine bin goes where its middle lies. The bound is what the figure could change if the pixels that lie on the wrong
    side of an exact cut were moved, each changing two bins by at most 1.

    Args:
        counts: How many are in each fine bin.
        right: How many of them are right.
        confidence: The sums of their confidences.
        bins: Number of bins.
    """
    total = int(counts.sum())
    if not total:
        return Adaptive(torch.nan, torch.nan)
    ends = counts.cumsum(0).double()
    place = ((ends - counts / 2) * bins / total).long().clamp_(0, bins - 1)
    merged = [torch.zeros(bins, dtype=torch.long, device=counts.device) for _ in range(3)]
    for sums, part in zip(merged, (counts, right, confidence), strict=True):
        sums.index_add_(0, place, part)
    cuts = torch.arange(1, bins, device=counts.device).double() * total / bins
    moved = (merged[0].cumsum(0)[:-1] - cuts).abs().sum()
    return Adaptive(_gap(*merged).item(), min(1.0, (2 * moved / total).item()))


class Calibration(SharedMetric):
    """Calibration of the predicted class and of each class, in constant memory; the scalar is the expected error.

    - Expected calibration error (ECE): confidences, the largest probability of each pixel or image, are sorted into
      equal parts of [0, 1]; the gap between mean confidence and accuracy, weighted by the bins' shares.
    - Adaptive error: the same with bins that hold equally many. They are made of fine bins, 1024 for each halving
      of 1 - confidence; the table says how far the figure can be from that of exactly equal bins.
    - Class-wise error: for each class, the gap between its probability, whether it is the largest or not, and the share
      of labels that are the class, over equal parts of [0, 1]; and the mean over classes.

    Args:
        num_classes: Number of classes K.
        bins: Number of bins.

    Raises:
        ValueError: There is less than one bin, or more than 100.

    Source:
        Guo et al. 2017 (arXiv:1706.04599) for the expected error; Nixon et al. 2019 (arXiv:1904.01685) for the adaptive
        and Kull et al. 2019 (arXiv:1910.12656) for the class-wise one.
    """

    higher_is_better = False
    counts: Tensor  # of the predicted class, by class and bin: how many, how many right, and the sum of confidences
    right: Tensor
    confidence: Tensor
    fine_counts: Tensor  # of the predicted class, by fine bin
    fine_right: Tensor
    fine_confidence: Tensor
    class_counts: Tensor  # of each class's probability, by class and bin
    class_right: Tensor
    class_confidence: Tensor

    def __init__(self, num_classes: int, bins: int = 15) -> None:
        super().__init__(num_classes)
        if not 1 <= bins <= 100:
            raise ValueError(f"bins is from 1 to 100, not {bins}")
        self.bins = bins
        sizes = {"": (bins,), "fine_": (FINE,), "class_": (num_classes, bins)}
        for kind, size in sizes.items():
            for name in ("counts", "right", "confidence"):
                self.add_counts(kind + name, *size)

    def update(
        self, logits: Float[Tensor, "B K ..."], labels: Integer[Tensor, "B ..."], pixels: Pixels | None = None
    ) -> None:
        """Add a batch; 255 in label maps is left out, the labels of whole images are all classes.

        Args:
            logits: Of images or pixels.
            labels: Class numbers from 0 to K - 1.
            pixels: The same batch, if other metrics share it.

        Raises:
            UnusableDataError: A label is no class and is not left out.
            ValueError: The logits have not K channels.
        """
        check_channels(logits, self.num_classes)
        if labels.ndim == 1:
            check_classes(labels, self.num_classes)
            self._add(logits.T, labels, *logits.max(1), torch.ones_like(labels, dtype=torch.bool), apart=True)
            return
        pixels = Pixels(logits, labels) if pixels is None else pixels
        assert pixels.confusion is not None  # checks the labels
        if native.takes(logits):
            for image, its_labels in zip(logits, labels, strict=True):
                self._add_natively(image.flatten(1), its_labels.flatten())
            return
        valid = labels != IGNORE
        for image, *maps in zip(logits, labels, pixels.largest, pixels.predicted, valid, strict=True):
            for slab in _slabs(image.flatten(1), *(one.flatten() for one in maps)):
                self._add(*slab, apart=False)

    def compute(self) -> Float[Tensor, ""]:
        """The expected calibration error, 0 to 1; NaN where nothing was counted."""
        return _gap(self.counts, self.right, self.confidence).float()

    def adaptive(self) -> Adaptive:
        """The error with bins of equal mass."""
        return merge_evenly(self.fine_counts, self.fine_right, self.fine_confidence, self.bins)

    def by_class(self) -> Float64[Tensor, " K"]:
        """The class-wise error of each class."""
        return _gap(self.class_counts, self.class_right, self.class_confidence)

    def tables(self, names: Sequence[str]) -> Sequence[FigureTable]:
        """The errors, the reliability curve, and the error of each class.

        Args:
            names: The names of the classes.
        """
        by_class, adaptive = self.by_class(), self.adaptive()
        errors = [
            ("expected, equal bins (ECE)", [self.compute().item()]),
            ("adaptive, bins of equal mass", [adaptive.error]),
            ("adaptive: largest deviation from exactly equal bins", [adaptive.bound]),
            ("class-wise, mean of classes", [by_class.mean().item()]),
        ]
        classes = [(name, [error]) for name, error in zip(names, by_class.tolist(), strict=True)]
        meaning = "gap between confidence and accuracy"
        means = [("mean", [by_class.mean().item()])]
        gap = "gap between a class's probability and its share of labels"
        return [
            FigureTable("calibration", meaning, ("error",), errors, "error"),
            FigureTable("reliability", "confidence and accuracy by bin of confidence", CURVE, self._curve(), "bin"),
            FigureTable("calibration_by_class", gap, ("error",), classes, means=means, lower_is_better=True),
        ]

    def _curve(self) -> list[tuple[str, list[float | int]]]:
        counts = self.counts.tolist()
        mean = (self.confidence.double() / ONE / self.counts).tolist()
        accuracy = (self.right.double() / self.counts).tolist()
        edges = [f"{number / self.bins:.3g}" for number in range(self.bins + 1)]
        figures = zip(edges, edges[1:], mean, accuracy, counts, strict=False)
        return [(f"{low} to {high}", [sure, right, count]) for low, high, sure, right, count in figures]

    def _add(
        self,
        logits: Float[Tensor, "K N"],
        labels: Integer[Tensor, " N"],
        largest: Float[Tensor, " N"],
        predicted: Int64[Tensor, " N"],
        valid: Bool[Tensor, " N"],
        *,
        apart: bool,
    ) -> None:
        """Add some pixels of one image, or some images."""
        spread = spread_out(logits, largest, predicted, valid, self.bins, apart=apart)
        right = predicted == labels
        fine = torch.where(valid, _finely(spread.rest), FINE)
        self._sum_up("fine_", _tally(fine, right, spread.confidence, FINE))
        size = self.num_classes * self.bins
        place = torch.where(valid, predicted * self.bins + _sort(spread.confidence, self.bins), size)
        top = _tally(place, right, spread.confidence, size)
        self._sum_up("", Tally(*(part.view(-1, self.bins).sum(0) for part in top)))
        self._sum_up("class_", self._tally_classes(spread, top, labels, valid))

    def _add_natively(self, logits: Float[Tensor, "K N"], labels: Integer[Tensor, " N"]) -> None:
        """Add the pixels of one image by the native kernel; the same to rounding errors of single confidences."""
        digits = STEPS.bit_length() - 1
        found = native.count_calibration(
            logits, labels, bins=self.bins, octaves=OCTAVES, digits=digits, one=ONE, ignore=IGNORE
        )
        self._sum_up("", Tally(*found.top.unbind(1)))
        self._sum_up("fine_", Tally(*found.fine.unbind(1)))
        whole = found.labelled.sum().expand(self.num_classes), found.labelled, found.mass
        parts = zip(found.large.unbind(2), whole, strict=True)
        self._sum_up("class_", Tally(*(self._with_rest(part, total) for part, total in parts)))

    def _tally_classes(
        self, spread: Spread, top: Tally, labels: Integer[Tensor, " N"], valid: Bool[Tensor, " N"]
    ) -> Tally:
        """Counts for each class: the large probabilities one by one; those in the lowest bin are what is left."""
        place = spread.classes * self.bins + _sort(spread.others, self.bins)
        right = labels[spread.places] == spread.classes
        others = _tally(place, right, spread.others, self.num_classes * self.bins)
        labelled = torch.bincount(torch.where(valid, labels, self.num_classes), minlength=self.num_classes + 1)
        whole = Tally(valid.sum().expand(self.num_classes), labelled[: self.num_classes], spread.mass)
        return Tally(*(self._with_rest(a + b, total) for a, b, total in zip(top, others, whole, strict=True)))

    def _with_rest(self, counts: Int64[Tensor, "..."], total: Int64[Tensor, " K"]) -> Int64[Tensor, "K bins"]:
        counts = counts.reshape(self.num_classes, self.bins).clone()
        counts[:, 0] = total - counts[:, 1:].sum(1)
        return counts

    def _sum_up(self, kind: str, tally: Tally) -> None:
        for name, counts in zip(("counts", "right", "confidence"), tally, strict=True):
            state: Tensor = getattr(self, kind + name)
            state += counts
