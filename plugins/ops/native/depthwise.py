"""The kernels of depthwise convolution, as functions of tensors."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from foveate.plugins.ops.native.compiled import DTYPES, call
from foveate.plugins.ops.native.compiled import takes as takes


def forward(
    x: Float[Tensor, "B C H W"], weight: Float[Tensor, "C 1 k l"], bias: Tensor | None, *, dilation: int, gelu: bool
) -> Float[Tensor, "B C H W"]:
    """The convolution at the map's size, and a GELU after it if asked; all of one dtype."""
    out = torch.empty_like(x)
    name = f"depthwise_forward_{DTYPES[x.dtype]}"
    call(name, _sizes(x, weight, dilation, 1), x, weight.contiguous(), bias, out, gelu)
    return out


def backward(
    grad: Float[Tensor, "B C h w"],
    x: Float[Tensor, "B C H W"],
    weight: Float[Tensor, "C 1 k l"],
    bias: Tensor | None,
    *,
    dilation: int,
    gelu: bool,
    wants_input: bool,
    stride: int = 1,
) -> tuple[Tensor | None, Float[Tensor, "C 1 k l"], Float[Tensor, " C"]]:
    """Gradients of the map (if wanted), of the kernel and of the bias, in the dtype of each; sums are in float32.

    Args:
        grad: Gradient of what `forward` gave.
        x: What `forward` was given, as are weight, bias, dilation and gelu.
        wants_input: Whether the gradient of the map is wanted.
        stride: Of the convolution, without a GELU if it is above 1.
    """
    grad = grad.to(x.dtype).contiguous(memory_format=torch.channels_last)
    grad_x = torch.empty_like(x) if wants_input else None
    grad_weight = torch.empty(weight.shape, dtype=torch.float32)
    grad_bias = torch.empty(weight.shape[0], dtype=torch.float32)
    name, sizes = f"depthwise_backward_{DTYPES[x.dtype]}", _sizes(x, weight, dilation, stride)
    call(name, sizes, x, grad, weight.contiguous(), bias, grad_x, grad_weight, grad_bias, gelu)
    return grad_x, grad_weight.to(weight.dtype), grad_bias.to(weight.dtype)


def _sizes(x: Tensor, weight: Tensor, dilation: int, stride: int) -> tuple[int, ...]:
    return (x.shape[0], x.shape[2], x.shape[3], x.shape[1], *weight.shape[2:], dilation, stride)
