"""Focal loss: cross-entropy that gives less weight to what is predicted well already."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float, Integer
from torch import Tensor

from foveate.pipeline.losses.cross_entropy import count_labelled
from foveate.pipeline.losses.labelling import WeightedLoss, check_not_negative, ignored_label

TINY = torch.finfo(torch.float32).tiny  # keeps the gradient of x ** gamma finite at 0 for gamma below 1


class Focal(WeightedLoss):
    """Cross-entropy times (1 - probability of the true class) ** gamma, averaged over labelled pixels or images.

    Args:
        num_classes: Number of classes K.
        gamma: How strongly well predicted pixels are down-weighted; 0 is plain cross-entropy.
        class_weights: A weight of at least 0 for each class (the paper's alpha); the average is weighted likewise.

    Raises:
        ValueError: `gamma` is negative, or `class_weights` are not one number of at least 0 for each class.

    Source:
        Lin et al. 2017, Focal loss (arXiv:1708.02002), over a softmax.
    """

    def __init__(self, num_classes: int, *, gamma: float = 2.0, class_weights: Sequence[float] | None = None) -> None:
        super().__init__(class_weights, num_classes)
        self.gamma = check_not_negative("gamma", gamma)

    def forward(self, logits: Float[Tensor, "B K ..."], labels: Integer[Tensor, "B ..."]) -> Float[Tensor, ""]:
        """The loss, in float32; 0 where nothing is labelled."""
        target, ignored = labels.long(), ignored_label(labels)
        each = F.cross_entropy(logits.float(), target, reduction="none", ignore_index=ignored)
        focused = (1 - torch.exp(-each)).clamp(min=TINY) ** self.gamma * each
        if self.weights is not None:
            focused = focused * self.weights[torch.where(target == ignored, 0, target)]
        return focused.sum() / count_labelled(target, self.weights, ignored)
