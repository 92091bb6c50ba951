"""Region losses of segmentation_models_pytorch, safe for half precision and unlabelled crops.

The library's own losses stay in half precision or fail there; if all pixels are ignored, they are NaN or no scalar.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import segmentation_models_pytorch as smp
from jaxtyping import Float, Integer
from torch import Tensor, nn

from foveate.datasets.labels import IGNORE
from foveate.pipeline.losses.labelling import check_not_negative, weights_of_classes


class _Guarded(nn.Module):
    """A loss in float32; loss and gradient are 0 if nothing is labelled."""

    def __init__(self, loss: Any) -> None:
        super().__init__()
        self.loss = loss

    def forward(self, logits: Float[Tensor, "B K H W"], labels: Integer[Tensor, "B H W"]) -> Float[Tensor, ""]:
        logits, labels = logits.float(), labels.long()
        if not (labels != IGNORE).any():
            return logits.sum() * 0
        value: Tensor = self.loss(logits.contiguous(), labels)
        return value


def dice(
    num_classes: int, *, smooth: float = 0.0, log_loss: bool = False, class_weights: Sequence[float] | None = None
) -> nn.Module:
    """One minus twice the overlap over the sum of both areas; the mean over classes, absent ones counting 0.

    Args:
        num_classes: Number of classes K.
        smooth: Constant added to numerator and denominator.
        log_loss: Use the negative logarithm of the overlap instead of one minus the overlap.
        class_weights: A weight of at least 0 for each class; the mean over the classes is weighted likewise.

    Raises:
        ValueError: `smooth` is negative, or `class_weights` are not one number of at least 0 for each class.
    """
    options = _options(num_classes, smooth, log_loss, class_weights)
    return _Guarded(smp.losses.DiceLoss("multiclass", **options))


def jaccard(
    num_classes: int, *, smooth: float = 0.0, log_loss: bool = False, class_weights: Sequence[float] | None = None
) -> nn.Module:
    """One minus the smooth intersection over union; the mean over classes, absent ones counting 0.

    Args:
        num_classes: Number of classes K.
        smooth: Constant added to numerator and denominator.
        log_loss: Use the negative logarithm of the intersection over union instead of one minus it.
        class_weights: A weight of at least 0 for each class; the mean over the classes is weighted likewise.

    Raises:
        ValueError: `smooth` is negative, or `class_weights` are not one number of at least 0 for each class.
    """
    options = _options(num_classes, smooth, log_loss, class_weights)
    return _Guarded(smp.losses.JaccardLoss("multiclass", **options))


def _options(num_classes: int, smooth: float, log_loss: bool, class_weights: Sequence[float] | None) -> dict[str, Any]:
    return {
        "smooth": check_not_negative("smooth", smooth),
        "log_loss": log_loss,
        "ignore_index": IGNORE,
        "class_weights": weights_of_classes(class_weights, num_classes),
    }
