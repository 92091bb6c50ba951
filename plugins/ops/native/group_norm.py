"""Python interface of the native kernel of group norm's backward pass."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from foveate.plugins.ops.native.compiled import DTYPES, call


def backward(
    grad: Float[Tensor, "B C H W"],
    x: Float[Tensor, "B C H W"],
    mean: Float[Tensor, "B G"],
    scale: Float[Tensor, "B G"],
    weight: Float[Tensor, " C"],
) -> tuple[Float[Tensor, "B C H W"], Float[Tensor, " C"], Float[Tensor, " C"]]:
    """Backward pass: gradients of the input, in its dtype, and of weight and bias, in float32.

    Args:
        grad: Gradient of the output.
        x: Input of the norm, as `compiled.takes` accepts it.
        mean: Mean of each group.
        scale: One over the standard deviation of each group.
        weight: Weight of each channel.
    """
    grad = grad.to(x.dtype).contiguous(memory_format=torch.channels_last)
    mean, scale, weight = (given.float().contiguous() for given in (mean, scale, weight))
    grad_x = torch.empty_like(x)
    grad_weight, grad_bias = (torch.empty(len(weight), dtype=torch.float32) for _ in range(2))
    sizes = (x.shape[0], x.shape[2] * x.shape[3], x.shape[1], mean.shape[1])
    call(f"group_norm_backward_{DTYPES[x.dtype]}", sizes, grad, x, mean, scale, weight, grad_x, grad_weight, grad_bias)
    return grad_x, grad_weight, grad_bias
