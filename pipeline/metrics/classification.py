"""Scores of a classifier over a whole data set, from counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torchmetrics import Metric

from foveate.pipeline.metrics.confusion import check_channels, check_classes

FIRST = 5


class Prediction(NamedTuple):
    """The most probable classes of each image, in descending order, and their probabilities."""

    classes: Int64[Tensor, "B k"]
    probabilities: Float[Tensor, "B k"]


@dataclass(frozen=True)
class ClassificationScores:
    """Figures in [0, 1]; NaN for a class without images.

    Attributes:
        accuracy: Share of each class's images that were classified correctly.
        images: How many images each class has.
        acc: Share of all images that were classified correctly (top 1).
        acc5: Share of all images whose class is among the five most probable; None with five classes or fewer.
        macc: Mean of `accuracy` over the classes that have images.
        calibration_error: Gap between confidence and accuracy.
        confusion: Labels in rows, predictions in columns; None if there are too many classes.
    """

    accuracy: Float[Tensor, " K"]
    images: Int64[Tensor, " K"]
    acc: float
    acc5: float | None
    macc: float
    calibration_error: float
    confusion: Int64[Tensor, "K K"] | None

    def most_confused(self, count: int = 10) -> list[tuple[int, int, int]]:
        """The pairs of label and prediction that were confused most often, with their counts."""
        if self.confusion is None:
            return []
        wrong = self.confusion.clone().fill_diagonal_(0)
        often, places = wrong.flatten().topk(min(count, wrong.numel()))
        pairs = zip(often.tolist(), places.tolist(), strict=True)
        return [(place // len(wrong), place % len(wrong), number) for number, place in pairs if number]


class ClassTally(Metric):
    """Counts for each class: images, correct ones (top 1), and correct among the first five (top 5).

    Args:
        num_classes: Number of classes K.
    """

    is_differentiable = False
    full_state_update = False
    images: Tensor
    right: Tensor
    right5: Tensor

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.num_classes = num_classes
        for name in ("images", "right", "right5"):
            self.add_state(name, torch.zeros(num_classes, dtype=torch.long), dist_reduce_fx="sum")

    def update(self, logits: Float[Tensor, "B K"], labels: Int64[Tensor, " B"]) -> None:
        """Add a batch.

        Args:
            logits: Of the images.
            labels: Class of each image, from 0 to K - 1.

        Raises:
            UnusableDataError: A label is no class.
            ValueError: The logits have not K channels.
        """
        check_channels(logits, self.num_classes)
        check_classes(labels, self.num_classes)
        hits = logits.topk(min(FIRST, self.num_classes)).indices == labels[:, None]
        self.images += self._count(labels)
        self.right += self._count(labels[logits.argmax(1) == labels])
        self.right5 += self._count(labels[hits.any(1)])

    def compute(self) -> tuple[Int64[Tensor, " K"], Int64[Tensor, " K"], Int64[Tensor, " K"]]:
        """The counts: images, correct ones, and correct among the first five."""
        return self.images, self.right, self.right5

    def _count(self, labels: Int64[Tensor, " B"]) -> Int64[Tensor, " K"]:
        return torch.bincount(labels, minlength=self.num_classes)


def score_classes(
    images: Int64[Tensor, " K"],
    right: Int64[Tensor, " K"],
    right5: Int64[Tensor, " K"],
    *,
    calibration_error: float,
    confusion: Int64[Tensor, "K K"] | None = None,
) -> ClassificationScores:
    """Scores of the counts of a `ClassTally`.

    Example:
        >>> images, right = torch.tensor([4, 0]), torch.tensor([3, 0])
        >>> scores = score_classes(images, right, right, calibration_error=0.1)
        >>> scores.acc, scores.macc
        (0.75, 0.75)
    """
    accuracy = right.double() / images  # 0 / 0 is NaN: a class without images
    total = images.sum().item()
    return ClassificationScores(
        accuracy=accuracy.float().cpu(),
        images=images.cpu(),
        acc=right.sum().item() / total if total else float("nan"),
        acc5=right5.sum().item() / max(1, total) if len(images) > FIRST else None,
        macc=accuracy.nanmean().item(),
        calibration_error=calibration_error,
        confusion=None if confusion is None else confusion.cpu(),
    )
