"""Calibration: the gap between confidence and accuracy."""

from __future__ import annotations

import torch
from jaxtyping import Float, Integer
from torch import Tensor
from torchmetrics import Metric

from foveate.datasets.labels import IGNORE
from foveate.pipeline.metrics.confusion import check_channels, check_classes


class CalibrationError(Metric):
    """Expected calibration error: the gap between confidence and accuracy, averaged over bins of confidence.

    Batches are added to the bins at once, so a data set of any size needs only three numbers per bin.

    Args:
        num_classes: Number of classes K.
        bins: Equal parts of [0, 1] into which confidences are sorted.

    Source:
        Guo et al. 2017, On calibration of modern neural networks (arXiv:1706.04599), section 2.
    """

    is_differentiable = False
    higher_is_better = False
    full_state_update = False
    counts: Tensor
    confidence: Tensor
    right: Tensor

    def __init__(self, num_classes: int, *, bins: int = 15) -> None:
        super().__init__()
        if bins < 1:
            raise ValueError(f"bins is at least 1, not {bins}")
        self.num_classes = num_classes
        self.bins = bins
        for name in ("counts", "confidence", "right"):
            self.add_state(name, torch.zeros(bins, dtype=torch.double), dist_reduce_fx="sum")

    def update(self, logits: Float[Tensor, "B K ..."], labels: Integer[Tensor, "B ..."]) -> None:
        """Add a batch; 255 in label maps is left out, the labels of whole images are all classes.

        Args:
            logits: Of images or pixels.
            labels: Class numbers from 0 to K - 1.

        Raises:
            UnusableDataError: A label is no class and is not left out.
            ValueError: The logits have not K channels.
        """
        check_channels(logits, self.num_classes)
        valid = labels != IGNORE if labels.ndim > 1 else torch.ones_like(labels, dtype=torch.bool)
        check_classes(labels[valid], self.num_classes)
        confidence, predicted = logits.float().softmax(1).max(1)
        confidence, right = confidence[valid].double(), (predicted == labels)[valid].double()
        place = (confidence * self.bins).ceil().long().clamp(1, self.bins) - 1  # bins exclude their lower edge
        self.counts += torch.bincount(place, minlength=self.bins)
        self.confidence += torch.bincount(place, confidence, minlength=self.bins)
        self.right += torch.bincount(place, right, minlength=self.bins)

    def compute(self) -> Float[Tensor, ""]:
        """The error so far, 0 to 1; NaN where nothing was counted."""
        return ((self.confidence - self.right).abs().sum() / self.counts.sum()).float()
