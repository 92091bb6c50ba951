"""Dice, precision and recall of each class, from a confusion matrix."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64, Integer
from torch import Tensor

from foveate.datasets.labels import IGNORE
from foveate.pipeline.metrics.confusion import check_channels, check_classes, count_confusion
from foveate.pipeline.metrics.pixels import Pixels, SharedMetric
from foveate.pipeline.metrics.tables import FigureTable


@dataclass(frozen=True)
class Agreement:
    """Figures of each class in [0, 1], in double precision; NaN where they are undefined.

    Attributes:
        precision: Share of what was predicted as the class that is labelled so; NaN if nothing was predicted.
        recall: Share of what is labelled as the class that was predicted so; NaN if nothing is labelled.
        f1: Their harmonic mean, which is the Dice coefficient; 0 for a class that is only labelled or only predicted.
        labelled: Counts of labelled pixels or images.
        predicted: Counts of predicted ones.
        right: Counts of those predicted rightly.
    """

    precision: Float[Tensor, " K"]
    recall: Float[Tensor, " K"]
    f1: Float[Tensor, " K"]
    labelled: Int64[Tensor, " K"]
    predicted: Int64[Tensor, " K"]
    right: Int64[Tensor, " K"]

    def of(self, figure: str) -> Float[Tensor, " K"]:
        """Precision, recall or f1 by its name."""
        values: Tensor = getattr(self, figure)
        return values

    def macro(self, figure: str) -> float:
        """The mean of a figure over the classes where it is defined."""
        return self.of(figure).nanmean().item()

    def micro(self, figure: str) -> float:
        """A figure of all classes' counts together. With one label and one prediction each, all three are accuracy."""
        sums = [part.sum()[None] for part in (self.right, self.labelled, self.predicted)]
        return agreement(*sums).of(figure).item()

    def weighted(self, figure: str) -> float:
        """The mean of a figure, classes weighted by what is labelled; an undefined figure of a labelled class is 0."""
        known = self.of(figure).nan_to_num(0.0)
        return ((known * self.labelled).sum() / self.labelled.sum()).item()


def agreement(right: Int64[Tensor, " K"], labelled: Int64[Tensor, " K"], predicted: Int64[Tensor, " K"]) -> Agreement:
    """The figures of counts.

    Args:
        right: What was predicted rightly, of each class.
        labelled: What is labelled as each class.
        predicted: What was predicted as each class.

    Example:
        >>> agreement(torch.tensor([3]), torch.tensor([4]), torch.tensor([6])).f1
        tensor([0.6000], dtype=torch.float64)
    """
    hits = right.double()
    return Agreement(hits / predicted, hits / labelled, 2 * hits / (labelled + predicted), labelled, predicted, right)


def agreement_of(confusion: Int64[Tensor, "K K"]) -> Agreement:
    """The figures of a confusion matrix with labels in rows."""
    return agreement(confusion.diagonal(), confusion.sum(1), confusion.sum(0))


class Overlap(SharedMetric):
    """Precision, recall and F1 (Dice) of each class; the scalar is the mean of one of them over classes.

    Args:
        num_classes: Number of classes K.
        figure: The one that is the scalar: precision, recall or f1.
        name: Its name in logs and recipes.
    """

    right: Tensor
    labelled: Tensor
    predicted: Tensor

    def __init__(self, num_classes: int, figure: str, name: str) -> None:
        super().__init__(num_classes)
        self.figure = figure
        self.name = name
        for state in ("right", "labelled", "predicted"):
            self.add_counts(state, num_classes)

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
        if pixels is not None:
            found = agreement_of(pixels.confusion)
        elif labels.ndim > 1:
            found = agreement_of(count_confusion(logits.argmax(1), labels, self.num_classes, ignore=IGNORE))
        else:
            found = _of_images(logits.argmax(1), labels, self.num_classes)
        self.right += found.right
        self.labelled += found.labelled
        self.predicted += found.predicted

    def compute(self) -> Float[Tensor, ""]:
        """The mean over classes; NaN where nothing was counted."""
        return torch.tensor(self._agreement().macro(self.figure))

    def tables(self, names: Sequence[str]) -> Sequence[FigureTable]:
        """Precision, recall and F1 of each class, with the means.

        Args:
            names: The names of the classes.
        """
        return [table_of(self._agreement(), names)]

    def _agreement(self) -> Agreement:
        return agreement(self.right.cpu(), self.labelled.cpu(), self.predicted.cpu())


def _of_images(predicted: Int64[Tensor, " B"], labels: Integer[Tensor, " B"], num_classes: int) -> Agreement:
    check_classes(labels, num_classes)
    counted = [torch.bincount(of, minlength=num_classes) for of in (labels[predicted == labels], labels, predicted)]
    return agreement(*counted)


def table_of(found: Agreement, names: Sequence[str]) -> FigureTable:
    """Precision, recall and F1 of each class, with their means over classes, over counts, and weighted by labels."""
    figures = ("f1", "precision", "recall")
    per_class = [found.of(figure).tolist() for figure in figures]
    rows = [(name, [figure[place] for figure in per_class]) for place, name in enumerate(names)]
    averages = {"mean (macro)": found.macro, "all (micro)": found.micro, "weighted by labels": found.weighted}
    means = [(name, [mean(figure) for figure in figures]) for name, mean in averages.items()]
    meaning = "F1 (which is Dice), precision and recall"
    return FigureTable("overlap", meaning, ("F1", "precision", "recall"), rows, means=means)


def create_dice(num_classes: int) -> Overlap:
    """The mean Dice coefficient (F1) over classes."""
    return Overlap(num_classes, "f1", "dice")


def create_f1(num_classes: int) -> Overlap:
    """The mean F1 over classes."""
    return Overlap(num_classes, "f1", "f1")


def create_precision(num_classes: int) -> Overlap:
    """The mean precision over classes."""
    return Overlap(num_classes, "precision", "precision")


def create_recall(num_classes: int) -> Overlap:
    """The mean recall over classes."""
    return Overlap(num_classes, "recall", "recall")
