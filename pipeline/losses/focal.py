"""Cross-entropy that dwells on what is still wrong."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float, Integer
from torch import Tensor, nn

from foveate.datasets.labels import IGNORE


class Focal(nn.Module):
    """Cross-entropy times (1 - probability of the right class) ** gamma, averaged over what is labelled.

    Args:
        num_classes: Number of classes K.
        gamma: How much less counts what is right already; 0 is plain cross-entropy.

    Source:
        Lin et al. 2017, Focal loss (arXiv:1708.02002), over a softmax.
    """

    def __init__(self, num_classes: int, *, gamma: float = 2.0) -> None:
        super().__init__()
        if gamma < 0:
            raise ValueError(f"gamma is at least 0, not {gamma}")
        self.gamma = gamma

    def forward(self, logits: Float[Tensor, "B K ..."], labels: Integer[Tensor, "B ..."]) -> Float[Tensor, ""]:
        valid = labels != (IGNORE if labels.ndim > 1 else -1)
        target = torch.where(valid, labels, 0).long()
        each = F.cross_entropy(logits.float(), target, reduction="none")
        weighed = (1 - torch.exp(-each)) ** self.gamma * each
        return (weighed * valid).sum() / valid.sum().clamp(min=1)
