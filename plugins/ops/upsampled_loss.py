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
    """Cross-entropy of logits that are upsampled bilinearly to the labels' size, in float32, summed over the labels.

    With the native kernel on a CPU, neither the upsampled logits nor their gradient are stored at full size.

    Args:
        logits: Class logits of any height and width.
        labels: Class numbers; pixels with `ignore_index` are ignored.
        weights: Weight of each class.
        label_smoothing: Share of the target that is spread evenly over all classes.
        ignore_index: The label that is ignored.

    Raises:
        IndexError: A label is not a class.
    """
    given = torch.ones(logits.shape[1], dtype=torch.float32) if weights is None else weights
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
    """The reference: the same by PyTorch's own operators."""
    full = F.interpolate(logits.float(), size=labels.shape[1:], mode="bilinear", align_corners=False)
    return F.cross_entropy(
        full, labels.long(), weights, ignore_index=ignore_index, reduction="sum", label_smoothing=label_smoothing
    )


class _Kernel(torch.autograd.Function):
    """The gradient is computed together with the loss; the backward pass multiplies it by the incoming gradient."""

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
