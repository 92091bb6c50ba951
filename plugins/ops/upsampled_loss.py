"""Cross-entropy of logits that are coarser than their labels."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float, Integer
from torch import Tensor
from torch.autograd.function import once_differentiable

from foveate.plugins.ops.eager import is_eager_on_cpu
from foveate.plugins.ops.native import upsampled_loss as native


def upsampled_cross_entropy(
    logits: Float[Tensor, "B K h w"],
    labels: Integer[Tensor, "B H W"],
    *,
    weights: Float[Tensor, " K"] | None = None,
    label_smoothing: float = 0.0,
    ignore_index: int = 255,
) -> Float[Tensor, ""]:
    """Cross-entropy of logits after bilinear resizing to the labels' size, in float32, summed over the labels.

    With the kernel on a CPU neither the resized logits nor their gradient are ever held at full size.

    Args:
        logits: At any size.
        labels: Class numbers, or `ignore_index`, which counts nothing.
        weights: Of each class.
        label_smoothing: Share of the target spread over all classes.
        ignore_index: The label that is left out.

    Raises:
        IndexError: A label is no class.
    """
    given = torch.ones(logits.shape[1]) if weights is None else weights
    if is_eager_on_cpu(logits) and native.takes(logits, labels, given):
        loss: Tensor = _Kernel.apply(logits, labels, given, label_smoothing, ignore_index)
        return loss
    return upsampled_cross_entropy_plain(
        logits, labels, weights=weights, label_smoothing=label_smoothing, ignore_index=ignore_index
    )


def upsampled_cross_entropy_plain(
    logits: Float[Tensor, "B K h w"],
    labels: Integer[Tensor, "B H W"],
    *,
    weights: Float[Tensor, " K"] | None = None,
    label_smoothing: float = 0.0,
    ignore_index: int = 255,
) -> Float[Tensor, ""]:
    """The same by PyTorch's own operators: the reference."""
    full = F.interpolate(logits.float(), size=labels.shape[1:], mode="bilinear", align_corners=False)
    return F.cross_entropy(
        full, labels.long(), weights, ignore_index=ignore_index, reduction="sum", label_smoothing=label_smoothing
    )


class _Kernel(torch.autograd.Function):
    """The gradient is made with the loss, where all it needs is at hand, and waits for its factor."""

    @staticmethod
    def forward(ctx: Any, logits: Tensor, labels: Tensor, weights: Tensor, smoothing: float, ignore: int) -> Tensor:
        loss, gradient = native.sum_and_gradient(
            logits,
            labels,
            weights,
            label_smoothing=smoothing,
            ignore_index=ignore,
            wants_gradient=ctx.needs_input_grad[0],
        )
        ctx.save_for_backward(gradient)
        ctx.dtype = logits.dtype
        return loss

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None, None, None]:
        (gradient,) = ctx.saved_tensors
        return (gradient * grad).to(ctx.dtype), None, None, None, None
