"""Segmentation scores of a whole data set, from one confusion matrix."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64, Integer
from torch import Tensor
from torchmetrics import Metric

from foveate.datasets.labels import IGNORE
from foveate.pipeline.errors import UnusableDataError
from foveate.plugins.ops.native import confusion as native

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


def score(confusion: Int64[Tensor, "K K"], *, elsewhere: Int64[Tensor, " K"] | None = None) -> Scores:
    """Scores of a confusion matrix whose rows are labels and whose columns are predictions.

    Args:
        confusion: Counts of pixels.
        elsewhere: Further labelled pixels of each class, which were predicted as none of the classes.

    Example:
        >>> score(torch.tensor([[3, 1, 0], [0, 4, 0], [0, 0, 0]])).iou
        tensor([0.7500, 0.8000,    nan])
    """
    counts = confusion.double()
    right, labelled, predicted = counts.diagonal(), counts.sum(1), counts.sum(0)
    if elsewhere is not None:
        labelled = labelled + elsewhere
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
    trusted: bool = False,
) -> Int64[Tensor, "K K"]:
    """Count each pair of label (row) and prediction (column), on the device; labels of `ignore` are left out.

    A native kernel counts on a CPU. Elsewhere masks of bytes are counted fastest: every byte value has a row, so labels
    need no checks or selection before.

    Args:
        prediction: Class numbers from 0 to K - 1, of any integer type.
        mask: Labels, of any integer type.
        num_classes: Number of classes K.
        ignore: The label that is left out; None where every label is a class.
        trusted: The predictions are an argmax over K logits, so their range need not be checked, which takes a third
            of the time.

    Raises:
        UnusableDataError: A label is neither a class nor `ignore`.
        ValueError: A prediction is no class number, or there are not as many as labels.
    """
    if prediction.shape != mask.shape:
        raise ValueError(f"predictions of shape {tuple(prediction.shape)} for labels of shape {tuple(mask.shape)}")
    if native.takes(prediction, mask):
        return _count_natively(prediction.flatten(), mask.flatten(), num_classes, ignore)
    bytewise = mask.dtype == torch.uint8
    rows = max(BYTES, num_classes) if bytewise else num_classes + 2
    counts = torch.zeros(rows * num_classes, dtype=torch.long, device=mask.device)
    size = CHUNK if mask.device.type == "cpu" else max(1, mask.numel())
    parts = zip(torch.split(prediction.flatten(), size), torch.split(mask.flatten(), size), strict=True)
    for predicted, labels in parts:
        if not trusted:
            _check_range(predicted, num_classes)
        places = labels if bytewise else _sorted_out(labels, num_classes, ignore)
        counts += torch.bincount(_pair(predicted, places, num_classes, rows), minlength=len(counts))
    return _classes_only(counts.view(rows, num_classes), ignore if bytewise else num_classes + 1, ignore)


def _count_natively(
    prediction: Integer[Tensor, " N"], labels: Integer[Tensor, " N"], num_classes: int, ignore: int | None
) -> Int64[Tensor, "K K"]:
    counts = native.count_pairs(prediction, labels, num_classes, ignore)
    if counts[:, num_classes].any():
        _check_range(prediction, num_classes)
    return _classes_only(counts[:, :num_classes], num_classes + 1, ignore)


def _check_range(predicted: Integer[Tensor, " N"], num_classes: int) -> None:
    least, most = predicted.aminmax() if len(predicted) else (0, 0)
    if least < 0 or most >= num_classes:
        raise ValueError(f"predictions are class numbers from 0 to {num_classes - 1}, not {int(least)} to {int(most)}")


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


def check_classes(labels: Integer[Tensor, " N"], num_classes: int) -> None:
    """Refuse labels that are no class.

    Args:
        labels: Class numbers, those to be left out taken away.
        num_classes: Number of classes K.

    Raises:
        UnusableDataError: One is below 0, or K or more.
    """
    if labels.numel() and (labels.min() < 0 or labels.max() >= num_classes):
        raise UnusableDataError(
            f"a label lies outside 0 to {num_classes - 1}: they reach from {int(labels.min())} to {int(labels.max())}; "
            "look for it with: foveate data check"
        )


def check_channels(logits: Float[Tensor, "B K ..."], num_classes: int) -> None:
    """Refuse logits that have not a channel for each class.

    Args:
        logits: Of images or pixels.
        num_classes: Number of classes K.

    Raises:
        ValueError: Their channels are more or fewer.
    """
    if logits.shape[1] != num_classes:
        raise ValueError(f"logits of shape {tuple(logits.shape)} have not a channel for each of {num_classes} classes")


class ConfusionMatrix(Metric):
    """Counts of pixels, or of images, over a data set, summed over processes.

    Args:
        num_classes: Number of classes K; `compute` gives (K, K), int64.
        ignore: The label that is left out; None where every label is a class.
        trusted: See `count_confusion`.
        by_image: Count each sample on its own, and keep the counts of the last batch.

    Attributes:
        each: Counts of each sample of the last batch, with `by_image`.
    """

    is_differentiable = False
    full_state_update = False
    counts: Tensor
    each: Int64[Tensor, "B K K"]

    def __init__(
        self, num_classes: int, *, ignore: int | None = IGNORE, trusted: bool = False, by_image: bool = False
    ) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.ignore, self.trusted, self.by_image = ignore, trusted, by_image
        self.add_state("counts", torch.zeros(num_classes, num_classes, dtype=torch.long), dist_reduce_fx="sum")

    def update(self, prediction: Integer[Tensor, "B ..."], mask: Integer[Tensor, "B ..."]) -> None:
        """Add a batch of predicted and true class numbers."""
        if not self.by_image:
            self.counts += self._count(prediction, mask)
            return
        self.each = torch.stack([self._count(one, labels) for one, labels in zip(prediction, mask, strict=True)])
        self.counts += self.each.sum(0)

    def _count(self, prediction: Integer[Tensor, "*size"], mask: Integer[Tensor, "*size"]) -> Int64[Tensor, "K K"]:
        return count_confusion(prediction, mask, self.num_classes, ignore=self.ignore, trusted=self.trusted)

    def compute(self) -> Int64[Tensor, "K K"]:
        """The counts so far."""
        return self.counts
