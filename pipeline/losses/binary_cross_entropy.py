"""Binary cross-entropy: an independent yes-or-no decision for each class."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from foveate.pipeline.losses.labelling import WeightedLoss, check_share, ignored_label


class BinaryCrossEntropy(WeightedLoss):
    """Binary cross-entropy of each class, averaged over the labelled pixels or images and over the classes.

    Args:
        num_classes: Number of classes K.
        label_smoothing: Share of the target spread over all classes, 0 to 1.
        class_weights: A weight of at least 0 for each class; the average over the classes is weighted likewise.

    Raises:
        ValueError: `label_smoothing` is out of its range, or `class_weights` are not one for each class.

    Source:
        Wightman et al. 2021, ResNet strikes back (arXiv:2110.00476): for images mixed with others.
    """

    def __init__(
        self, num_classes: int, *, label_smoothing: float = 0.0, class_weights: Sequence[float] | None = None
    ) -> None:
        super().__init__(class_weights, num_classes)
        self.num_classes = num_classes
        self.label_smoothing = check_share("label_smoothing", label_smoothing)

    def forward(self, logits: Float[Tensor, "B K ..."], labels: Tensor) -> Float[Tensor, ""]:
        """The loss; labels are class numbers (B, ...) or class probabilities (B, K)."""
        target, valid = self._targets(labels)
        target = target * (1 - self.label_smoothing) + self.label_smoothing / self.num_classes
        each = F.binary_cross_entropy_with_logits(logits.float(), target, reduction="none")
        return (self._mean_of_classes(each) * valid).sum() / valid.sum().clamp(min=1)

    def _targets(self, labels: Tensor) -> tuple[Float[Tensor, "B K ..."], Bool[Tensor, "B ..."]]:
        """The target for each class, and a mask of the labelled pixels or images."""
        if labels.is_floating_point():
            return labels, torch.ones_like(labels[:, 0], dtype=torch.bool)
        valid = labels != ignored_label(labels)
        one_hot = F.one_hot(torch.where(valid, labels, 0).long(), self.num_classes)
        return one_hot.movedim(-1, 1).float(), valid

    def _mean_of_classes(self, each: Float[Tensor, "B K ..."]) -> Float[Tensor, "B ..."]:
        if self.weights is None:
            return each.mean(1)
        shares = self.weights / self.weights.sum()
        return (each.movedim(1, -1) * shares).sum(-1)
