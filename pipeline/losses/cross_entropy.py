"""Cross-entropy over the classes of each pixel or image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float, Integer
from torch import Tensor, nn

from foveate.datasets.labels import IGNORE
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
    """Cross-entropy in float32; labels of `ignore_index` are ignored, and a batch of nothing else gives 0, not NaN.

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
    valid = target != ignore_index
    if weights is None:
        return valid.sum().clamp(min=1)
    return weights[target[valid]].sum().clamp(min=torch.finfo(weights.dtype).tiny)


class CrossEntropy(nn.Module):
    """Cross-entropy of a recipe, for label maps, class numbers, and mixtures of classes.

    Args:
        num_classes: Number of classes K.
        average: Divide by the labelled pixels (`valid`), or by all of them, as the official SegNeXt does.
        label_smoothing: Share of the target spread over all classes, 0 to 1.
        class_weights: A weight for each class.
    """

    weights: Tensor | None

    def __init__(
        self,
        num_classes: int,
        *,
        average: Average = "valid",
        label_smoothing: float = 0.0,
        class_weights: Sequence[float] = (),
    ) -> None:
        super().__init__()
        if class_weights and len(class_weights) != num_classes:
            raise ValueError(f"class_weights holds {len(class_weights)} weights for {num_classes} classes")
        if average not in ("valid", "all_pixels"):
            raise ValueError(f"average is valid or all_pixels, not {average!r}")
        if not 0 <= label_smoothing <= 1:
            raise ValueError(f"label_smoothing lies between 0 and 1, not {label_smoothing}")
        self.average: Average = average
        self.label_smoothing = label_smoothing
        self.register_buffer("weights", torch.tensor(class_weights) if class_weights else None, persistent=False)

    def forward(self, logits: Float[Tensor, "B K ..."], labels: Tensor) -> Float[Tensor, ""]:
        """Labels are numbers (B, ...), or shares of each class (B, K) that sum to 1."""
        if labels.is_floating_point():
            return F.cross_entropy(logits.float(), labels, self.weights, label_smoothing=self.label_smoothing)
        return cross_entropy(
            logits,
            labels,
            average=self.average,
            label_smoothing=self.label_smoothing,
            weights=self.weights,
            ignore_index=IGNORE if labels.ndim > 1 else -1,  # 255 may be a class of images
        )

    def coarse(self, logits: Float[Tensor, "B K h w"], labels: Integer[Tensor, "B H W"]) -> Float[Tensor, ""]:
        """The same of logits that are coarser than the labels, resized to them bilinearly."""
        total = upsampled_cross_entropy(
            logits, labels, weights=self.weights, label_smoothing=self.label_smoothing, ignore_index=IGNORE
        )
        return total / _denominator(labels.long(), self.average, self.weights, IGNORE)


class BinaryCrossEntropy(nn.Module):
    """A yes or no for each class by itself, averaged over images and classes.

    Args:
        num_classes: Number of classes K.
        label_smoothing: Share of the target spread over all classes, 0 to 1.

    Source:
        Wightman et al. 2021, ResNet strikes back (arXiv:2110.00476): for images mixed with others.
    """

    def __init__(self, num_classes: int, *, label_smoothing: float = 0.0) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.label_smoothing = label_smoothing

    def forward(self, logits: Float[Tensor, "B K ..."], labels: Tensor) -> Float[Tensor, ""]:
        """Labels are numbers (B, ...), or shares of each class (B, K)."""
        if labels.is_floating_point():
            target, valid = labels, torch.ones_like(labels[:, 0], dtype=torch.bool)
        else:
            valid = labels != (IGNORE if labels.ndim > 1 else -1)
            one_hot = F.one_hot(torch.where(valid, labels, 0).long(), self.num_classes)
            target = one_hot.movedim(-1, 1).float()
        target = target * (1 - self.label_smoothing) + self.label_smoothing / self.num_classes
        each = F.binary_cross_entropy_with_logits(logits.float(), target, reduction="none").mean(1)
        return (each * valid).sum() / valid.sum().clamp(min=1)
