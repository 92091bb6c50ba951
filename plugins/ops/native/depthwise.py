"""Python interface of the native kernels of depthwise convolution."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from foveate.plugins.ops.native.compiled import DTYPES, call
from foveate.plugins.ops.native.compiled import takes as takes

PLAIN, GELU, ADDED = range(3)  # modes of the kernels: store the output, store its GELU, or add the output


def forward(
    x: Float[Tensor, "B C H W"],
    weight: Float[Tensor, "C 1 k l"],
    bias: Tensor | None,
    *,
    dilation: int = 1,
    gelu: bool = False,
    onto: Float[Tensor, "B C H W"] | None = None,
) -> Float[Tensor, "B C H W"]:
    """Forward pass, with the size and dtype of the input; weights are read as float32.

    Args:
        x: Input, as `takes` accepts it.
        weight: Kernel.
        bias: Bias (C), or None.
        dilation: Distance between the positions the kernel reads.
        gelu: Whether GELU is applied to the output.
        onto: A feature map like x to which the output is added, in place; not with gelu.
    """
    out = torch.empty_like(x) if onto is None else onto
    mode = ADDED if onto is not None else GELU if gelu else PLAIN
    name = f"depthwise_forward_{DTYPES[x.dtype]}"
    call(name, _sizes(x, weight, dilation, 1), x, *_in_float(weight, bias), out, mode)
    return out


def backward(
    grad: Float[Tensor, "B C h w"],
    x: Float[Tensor, "B C H W"],
    weight: Float[Tensor, "C 1 k l"],
    bias: Tensor | None,
    *,
    dilation: int = 1,
    gelu: bool = False,
    wants_input: bool = True,
    stride: int = 1,
    onto: Float[Tensor, "B C H W"] | None = None,
) -> tuple[Tensor | None, Float[Tensor, "C 1 k l"], Float[Tensor, " C"]]:
    """Backward pass: gradients of input (None if not wanted), kernel and bias, each in its dtype; summed in float32.

    Args:
        grad: Gradient of the output.
        x: Input of the forward pass.
        weight: Kernel.
        bias: Bias (C), or None; only needed with gelu.
        dilation: Distance between the positions the kernel reads.
        gelu: Whether GELU was applied to the output.
        wants_input: Whether the gradient of the input is computed.
        stride: Stride of the convolution; 1 with gelu.
        onto: A feature map like x to which the gradient of the input is added, in place; not with gelu.
    """
    grad = grad.to(x.dtype).contiguous(memory_format=torch.channels_last)
    fresh = torch.empty_like(x) if wants_input and onto is None else None
    grad_x, mode = (fresh, GELU if gelu else PLAIN) if onto is None else (onto, ADDED)
    grad_weight = torch.empty(weight.shape, dtype=torch.float32)
    grad_bias = torch.empty(weight.shape[0], dtype=torch.float32)
    name, sizes = f"depthwise_backward_{DTYPES[x.dtype]}", _sizes(x, weight, dilation, stride)
    call(name, sizes, x, grad, *_in_float(weight, bias), grad_x, grad_weight, grad_bias, mode)
    return grad_x, grad_weight.to(weight.dtype), grad_bias.to(weight.dtype)


def _in_float(weight: Tensor, bias: Tensor | None) -> tuple[Tensor, Tensor | None]:
    return weight.float().contiguous(), None if bias is None else bias.float()


def _sizes(x: Tensor, weight: Tensor, dilation: int, stride: int) -> tuple[int, ...]:
    return (x.shape[0], x.shape[2], x.shape[3], x.shape[1], *weight.shape[2:], dilation, stride)
