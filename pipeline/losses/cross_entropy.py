"""What training minimises."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float, Integer
from torch import Tensor

from foveate.datasets.labels import IGNORE
from foveate.pipeline.errors import ConfigError

Average = Literal["valid", "all_pixels"]
Loss = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class LossConfig:
    """Which loss, and how it is averaged.

    Args:
        name: `cross_entropy`.
        average: Divide by the labelled pixels (`valid`), or by all of them, as the official SegNeXt does.
        label_smoothing: Share of the target spread over all classes, 0 to 1.
        class_weights: A weight for each class.
    """

    name: Literal["cross_entropy"] = "cross_entropy"
    average: Average = "valid"
    label_smoothing: float = 0.0
    class_weights: list[float] = field(default_factory=list)


def cross_entropy(
    logits: Float[Tensor, "B K H W"],
    mask: Integer[Tensor, "B H W"],
    *,
    average: Average = "valid",
    label_smoothing: float = 0.0,
    weights: Float[Tensor, " K"] | None = None,
) -> Float[Tensor, ""]:
    """Cross-entropy in float32; pixels of 255 are ignored, and a batch of nothing else gives 0, not NaN.

    Source:
        The official recipe counts ignored pixels in the denominator (`average="all_pixels"`).
    """
    target = mask.long()
    total = F.cross_entropy(
        logits.float(), target, weights, ignore_index=IGNORE, reduction="sum", label_smoothing=label_smoothing
    )
    return total / _denominator(target, average, weights)


def _denominator(target: Tensor, average: Average, weights: Tensor | None) -> Tensor | int:
    if average == "all_pixels":
        return target.numel()
    valid = target != IGNORE
    if weights is None:
        return valid.sum().clamp(min=1)
    return weights[target[valid]].sum().clamp(min=torch.finfo(weights.dtype).tiny)


def create_loss(config: LossConfig, num_classes: int) -> Loss:
    """The loss of a recipe, as a function of logits and mask."""
    if config.class_weights and len(config.class_weights) != num_classes:
        raise ConfigError(f"loss.class_weights holds {len(config.class_weights)} weights for {num_classes} classes")
    weights = torch.tensor(config.class_weights) if config.class_weights else None

    def loss(logits: Tensor, mask: Tensor) -> Tensor:
        return cross_entropy(
            logits,
            mask,
            average=config.average,
            label_smoothing=config.label_smoothing,
            weights=None if weights is None else weights.to(logits.device),
        )

    return loss
