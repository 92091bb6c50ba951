"""Python interface of the native kernel of cross-entropy on coarse logits."""

from __future__ import annotations

import torch
from jaxtyping import Float, Integer
from torch import Tensor

from foveate.plugins.ops.native.compiled import call, kernels

ALL_RIGHT = -1


def takes(logits: Tensor, labels: Tensor, weights: Tensor) -> bool:
    """Whether the kernel is available and supports these tensors: CPU, bfloat16 or float32, matching shapes."""
    small = logits.dtype in (torch.float32, torch.bfloat16)
    fits = logits.ndim == 4 and labels.ndim == 3 and (len(labels), len(weights)) == tuple(logits.shape[:2])
    return logits.device.type == "cpu" and small and fits and logits.numel() > 0 and kernels() is not None


def sum_and_gradient(
    logits: Float[Tensor, "B K h w"],
    labels: Integer[Tensor, "B H W"],
    weights: Float[Tensor, " K"],
    *,
    label_smoothing: float,
    ignore_index: int,
    wants_gradient: bool,
) -> tuple[Float[Tensor, ""], Float[Tensor, "B K h w"] | None]:
    """Cross-entropy of the logits, upsampled to the labels and summed over them; and its gradient, if wanted.

    Raises:
        IndexError: A label is not a class.
    """
    coarse = logits.detach().float().permute(0, 2, 3, 1).contiguous()
    gradient = torch.empty_like(coarse) if wants_gradient else None
    labels, weights = labels.to(torch.int32).contiguous(), weights.float().contiguous()
    loss, wrong = torch.zeros((), dtype=torch.float64), torch.zeros((), dtype=torch.int64)
    batch, classes = logits.shape[:2]
    sizes = (batch, classes, *logits.shape[2:], *labels.shape[1:], ignore_index)
    call("upsampled_cross_entropy", sizes, coarse, labels, weights, float(label_smoothing), loss, wrong, gradient)
    if wrong != ALL_RIGHT:
        raise IndexError(f"Target {int(wrong)} is out of bounds: labels are 0 to {classes - 1}, or {ignore_index}")
    return loss.float(), None if gradient is None else gradient.permute(0, 3, 1, 2)
