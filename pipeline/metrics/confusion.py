"""Segmentation scores of a whole data set, from one confusion matrix."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64, Integer
from torch import Tensor
from torchmetrics import Metric

from foveate.datasets.labels import IGNORE
from foveate.pipeline.errors import UnusableDataError

BYTES = 256  # values of a byte
CHUNK = 2**15  # pixels counted at once on a CPU: few enough for its cache and for a single thread


@dataclass(frozen=True)
class Scores:
    """Figures in [0, 1]; NaN for a class that was neither labelled nor predicted.

    Attributes:
        iou: Intersection over union of each class; 0 for one that was predicted but never labelled.
        accuracy: Share of each class's labelled pixels that were predicted correctly; NaN if none was labelled.
        miou: Mean of `iou` over the classes that are not NaN.
        macc: Mean of `accuracy`, likewise.
        aacc: Share of all labelled pixels that were predicted correctly.
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
    iou = right / (labelled + predicted - right)  # 0 / 0 is NaN: a class that does not occur
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
    prediction: Integer[Tensor, "*size"],
    mask: Integer[Tensor, "*size"],
    num_classes: int,
    *,
    ignore: int | None = IGNORE,
) -> Int64[Tensor, "K K"]:
    """Count each pair of label (row) and prediction (column), on the device; labels of `ignore` are left out.

    Masks of bytes are counted fastest: every byte value has a row, so labels need no checks or selection before.

    Args:
        prediction: Class numbers from 0 to K - 1, of any integer type.
        mask: Labels, of any integer type.
        num_classes: Number of classes K.
        ignore: The label that is left out; None where every label is a class.

    Raises:
        UnusableDataError: A label is neither a class nor `ignore`.
        ValueError: A prediction is no class number.
    """
    bytewise = mask.dtype == torch.uint8
    rows = max(BYTES, num_classes) if bytewise else num_classes + 2
    counts = torch.zeros(rows * num_classes, dtype=torch.long, device=mask.device)
    size = CHUNK if mask.device.type == "cpu" else max(1, mask.numel())
    least, most = prediction.aminmax() if prediction.numel() else (0, 0)
    if least < 0 or most >= num_classes:
        raise ValueError(f"predictions are class numbers from 0 to {num_classes - 1}, not {int(least)} to {int(most)}")
    parts = zip(torch.split(prediction.flatten(), size), torch.split(mask.flatten(), size), strict=True)
    for predicted, labels in parts:
        places = labels if bytewise else _sorted_out(labels, num_classes, ignore)
        counts += torch.bincount(_pair(predicted, places, num_classes, rows), minlength=len(counts))
    return _classes_only(counts.view(rows, num_classes), ignore if bytewise else num_classes + 1, ignore)


def _sorted_out(labels: Integer[Tensor, " N"], num_classes: int, ignore: int | None) -> Int64[Tensor, " N"]:
    """Class numbers, with K for invalid labels and K + 1 for ignored ones."""
    places = labels.long().clamp(max=num_classes).masked_fill_(labels < 0, num_classes)
    return places if ignore is None else places.masked_fill_(labels == ignore, num_classes + 1)


def _pair(
    predicted: Integer[Tensor, " N"], labels: Integer[Tensor, " N"], num_classes: int, rows: int
) -> Integer[Tensor, " N"]:
    """One number for each pair, in the smallest type that holds it."""
    kind = torch.int16 if rows * num_classes <= 2**15 else torch.int32 if rows * num_classes <= 2**31 else torch.int64
    return predicted.to(kind, copy=True).add_(labels.to(kind), alpha=num_classes)


def _classes_only(counts: Int64[Tensor, "rows K"], ignored: int | None, ignore: int | None) -> Int64[Tensor, "K K"]:
    """The rows of the classes, after a check that no label lies outside them, except in the row `ignored`."""
    rows, num_classes = counts.shape
    if ignored is not None and 0 <= ignored < rows:
        counts[ignored] = 0
    if counts[num_classes:].any():
        left_out = "" if ignore is None else f" and is not {ignore}, which is left out"
        raise UnusableDataError(
            f"a label lies outside 0 to {num_classes - 1}{left_out}; look for it with: foveate data check"
        )
    return counts[:num_classes]


class ConfusionMatrix(Metric):
    """Counts of pixels, or of images, over a data set, summed over processes.

    Args:
        num_classes: Number of classes K; `compute` gives (K, K), int64.
        ignore: The label that is left out; None where every label is a class.
    """

    is_differentiable = False
    full_state_update = False
    counts: Tensor

    def __init__(self, num_classes: int, *, ignore: int | None = IGNORE) -> None:
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
