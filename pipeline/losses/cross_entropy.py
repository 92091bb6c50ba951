"""Cross-entropy over the classes of each pixel or image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64, Integer
from torch import Tensor

from foveate.datasets.labels import IGNORE
from foveate.pipeline.losses.labelling import WeightedLoss, check_share, ignored_label
from foveate.plugins.ops.upsampled_loss import upsampled_cross_entropy

Average = Literal["valid", "all_pixels"]


def cross_entropy(
    logits: Float[Tensor, "B K ..."],
    labels: Integer[Tensor, "B ..."],
    *,
    average: Average = "valid",
    label_smoothing: float = 0.0,
    weights: Float[Tensor, " K"] | None = None,
    ignore_index: int = IGNORE,
) -> Float[Tensor, ""]:
    """Cross-entropy in float32; labels of `ignore_index` are ignored, and a batch without others gives 0, not NaN.

    Args:
        logits: Scores before the softmax, in any precision.
        labels: Class numbers of any integer type, or `ignore_index`.
        average: Divide by the labelled pixels (`valid`), or by all of them (`all_pixels`).
        label_smoothing: Share of the target spread over all classes, 0 to 1.
        weights: Of each class; the average over `valid` pixels is weighted likewise.
        ignore_index: The label that is left out.

    Source:
        The official recipe counts ignored pixels in the denominator (`average="all_pixels"`).
    """
    target = labels.long()
    total = F.cross_entropy(
        logits.float(), target, weights, ignore_index=ignore_index, reduction="sum", label_smoothing=label_smoothing
    )
    return total / _denominator(target, average, weights, ignore_index)


def _denominator(target: Tensor, average: Average, weights: Tensor | None, ignore_index: int) -> Tensor | int:
    if average == "all_pixels":
        return target.numel()
    return count_labelled(target, weights, ignore_index)


def count_labelled(target: Int64[Tensor, "B ..."], weights: Float[Tensor, " K"] | None, ignore_index: int) -> Tensor:
    """The number of labelled pixels or images, or the sum of their class weights; above 0, since it is a divisor.

    Args:
        target: Class numbers, or `ignore_index`.
        weights: The weight of each class, if given.
        ignore_index: The label that is left out.
    """
    valid = target != ignore_index
    if weights is None:
        return valid.sum().clamp(min=1)
    return weights[target[valid]].sum().clamp(min=torch.finfo(weights.dtype).tiny)


class CrossEntropy(WeightedLoss):
    """Cross-entropy with a recipe's options, for label maps, class numbers and mixed classes.

    Args:
        num_classes: Number of classes K.
        average: Divide by the labelled pixels (`valid`), or by all of them, as the official SegNeXt does.
        label_smoothing: Share of the target spread over all classes, 0 to 1.
        class_weights: A weight of at least 0 for each class; the average over `valid` pixels is weighted likewise.

    Raises:
        ValueError: An option is out of its range, or `class_weights` are not one for each class.
    """

    def __init__(
        self,
        num_classes: int,
        *,
        average: Average = "valid",
        label_smoothing: float = 0.0,
        class_weights: Sequence[float] | None = None,
    ) -> None:
        super().__init__(class_weights, num_classes)
        if average not in ("valid", "all_pixels"):
            raise ValueError(f"average is valid or all_pixels, not {average!r}")
        self.average: Average = average
        self.label_smoothing = check_share("label_smoothing", label_smoothing)

    def forward(self, logits: Float[Tensor, "B K ..."], labels: Tensor) -> Float[Tensor, ""]:
        """The loss; labels are class numbers (B, ...) or class probabilities (B, K) that sum to 1."""
        if labels.is_floating_point():
            return F.cross_entropy(logits.float(), labels, self.weights, label_smoothing=self.label_smoothing)
        return cross_entropy(
            logits,
            labels,
            average=self.average,
            label_smoothing=self.label_smoothing,
            weights=self.weights,
            ignore_index=ignored_label(labels),
        )

    def coarse(self, logits: Float[Tensor, "B K h w"], labels: Integer[Tensor, "B H W"]) -> Float[Tensor, ""]:
        """The loss of logits that are coarser than the labels; they are resized bilinearly to the labels' size.

        Args:
            logits: Logits at the decoder's stride.
            labels: Class numbers, or 255.
        """
        total = upsampled_cross_entropy(
            logits, labels, weights=self.weights, label_smoothing=self.label_smoothing, ignore_index=IGNORE
        )
        return total / _denominator(labels.long(), self.average, self.weights, IGNORE)
