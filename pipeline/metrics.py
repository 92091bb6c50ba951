"""Scores of a whole data set, from one confusion matrix."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64, Integer
from torch import Tensor
from torchmetrics import Metric

from foveate.datasets.labels import IGNORE


@dataclass(frozen=True)
class Scores:
    """Figures in [0, 1]; NaN for a class that was neither labelled nor predicted.

    Attributes:
        iou: Intersection over union of each class; 0 for one that was predicted but never labelled.
        accuracy: Share of each class's labelled pixels that were found; NaN where none was labelled.
        miou: Mean of `iou` over the classes that are not NaN.
        macc: Mean of `accuracy`, likewise.
        aacc: Share of all labelled pixels that are right.
        confusion: The counts behind them: labels in rows, predictions in columns.
    """

    iou: Float[Tensor, " K"]
    accuracy: Float[Tensor, " K"]
    miou: float
    macc: float
    aacc: float
    confusion: Int64[Tensor, "K K"]


def score(confusion: Int64[Tensor, "K K"]) -> Scores:
    """Scores of a confusion matrix whose rows are labels and whose columns are predictions.

    Example:
        >>> score(torch.tensor([[3, 1, 0], [0, 4, 0], [0, 0, 0]])).iou
        tensor([0.7500, 0.8000,    nan])
    """
    counts = confusion.double()
    right, labelled, predicted = counts.diagonal(), counts.sum(1), counts.sum(0)
    iou = right / (labelled + predicted - right)  # 0 / 0 is NaN, as it should be
    accuracy = right / labelled
    return Scores(
        iou=iou.float(),
        accuracy=accuracy.float(),
        miou=iou.nanmean().item(),
        macc=accuracy.nanmean().item(),
        aacc=(right.sum() / labelled.sum()).item(),
        confusion=confusion.cpu(),
    )


def count_confusion(
    prediction: Integer[Tensor, "*size"], mask: Integer[Tensor, "*size"], num_classes: int, *, ignore: int = IGNORE
) -> Int64[Tensor, "K K"]:
    """Count each pair of label (row) and prediction (column); labels of `ignore` are left out."""
    valid = mask != ignore
    pairs = mask[valid].long() * num_classes + prediction[valid].long()
    return torch.bincount(pairs, minlength=num_classes**2).view(num_classes, num_classes)


class ConfusionMatrix(Metric):
    """Counts of pixels, or of images, over a data set, summed over processes.

    Args:
        num_classes: Number of classes K; `compute` gives (K, K), int64.
        ignore: The label that is left out.
    """

    is_differentiable = False
    full_state_update = False
    counts: Tensor

    def __init__(self, num_classes: int, *, ignore: int = IGNORE) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.ignore = ignore
        self.add_state("counts", torch.zeros(num_classes, num_classes, dtype=torch.long), dist_reduce_fx="sum")

    def update(self, prediction: Integer[Tensor, "B ..."], mask: Integer[Tensor, "B ..."]) -> None:
        """Add a batch of predicted and true class numbers."""
        self.counts += count_confusion(prediction, mask, self.num_classes, ignore=self.ignore)

    def compute(self) -> Int64[Tensor, "K K"]:
        """The counts so far."""
        return self.counts
