"""The kernels of depthwise convolution, as functions of tensors."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from foveate.plugins.ops.native.compiled import DTYPES, call
from foveate.plugins.ops.native.compiled import takes as takes

PLAIN, GELU, ADDED = range(3)  # what becomes of a sum: as the kernels number it


def forward(
    x: Float[Tensor, "B C H W"],
    weight: Float[Tensor, "C 1 k l"],
    bias: Tensor | None,
    *,
    dilation: int = 1,
    gelu: bool = False,
    onto: Float[Tensor, "B C H W"] | None = None,
) -> Float[Tensor, "B C H W"]:
    """The convolution at the map's size, in the map's dtype; weights are read as float32.

    Args:
        x: The map.
        weight: The kernel.
        bias: Its bias.
        dilation: Distance between the positions the kernel reads.
        gelu: Whether a GELU follows.
        onto: A map like x that is added to, in place, instead.
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
    """Gradients of the map (if wanted), of the kernel and of the bias, in the dtype of each; sums are in float32.

    Args:
        grad: Gradient of what `forward` gave.
        x: What `forward` was given, as are weight, bias, dilation and gelu.
        wants_input: Whether the gradient of the map is wanted.
        stride: Of the convolution, without a GELU if it is above 1.
        onto: A map like x that the map's gradient is added to, in place; not after a GELU.
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
