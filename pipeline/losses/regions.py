"""Losses of segmentation_models_pytorch, made safe for half precision and for crops without a label.

Its own stay in half precision or fail there, and are NaN or no scalar where every pixel is ignored.
"""

from __future__ import annotations

from typing import Any

import segmentation_models_pytorch as smp
from jaxtyping import Float
from torch import Tensor, nn

from foveate.datasets.labels import IGNORE


class _Guarded(nn.Module):
    """A loss in float32; 0, with a gradient of 0, where nothing is labelled."""

    def __init__(self, loss: Any) -> None:
        super().__init__()
        self.loss = loss

    def forward(self, logits: Float[Tensor, "B K H W"], labels: Tensor) -> Float[Tensor, ""]:
        logits, labels = logits.float(), labels.long()
        if not (labels != IGNORE).any():
            return logits.sum() * 0
        value: Tensor = self.loss(logits.contiguous(), labels)
        return value


def dice(num_classes: int, *, smooth: float = 0.0, log_loss: bool = False) -> nn.Module:
    """One minus twice the overlap over the sum of both areas; the mean over classes, absent ones counting 0."""
    return _Guarded(smp.losses.DiceLoss("multiclass", smooth=smooth, log_loss=log_loss, ignore_index=IGNORE))


def jaccard(num_classes: int, *, smooth: float = 0.0, log_loss: bool = False) -> nn.Module:
    """One minus the smooth intersection over union; the mean over classes, absent ones counting 0."""
    return _Guarded(smp.losses.JaccardLoss("multiclass", smooth=smooth, log_loss=log_loss, ignore_index=IGNORE))


def lovasz(num_classes: int, *, per_image: bool = False) -> nn.Module:
    """A convex surrogate of one minus the mean intersection over union."""
    return _Guarded(smp.losses.LovaszLoss("multiclass", per_image=per_image, ignore_index=IGNORE))
