"""Python interface of the native kernels of batch norm in training."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from foveate.plugins.ops.native import compiled

Statistics = tuple[Float[Tensor, " C"], Float[Tensor, " C"]]  # mean, and one over the standard deviation


def takes(x: Float[Tensor, "B C H W"], dtype: torch.dtype) -> bool:
    """Whether the kernels support this input and an output of this dtype, which may be the narrower one."""
    return compiled.takes(x) and dtype in compiled.DTYPES and (x.dtype == torch.float32 or dtype == x.dtype)


def forward(
    x: Float[Tensor, "B C H W"],
    weight: Float[Tensor, " C"],
    bias: Float[Tensor, " C"],
    running: tuple[Float[Tensor, " C"], Float[Tensor, " C"]],
    *,
    momentum: float,
    eps: float,
    dtype: torch.dtype,
) -> tuple[Float[Tensor, "B C H W"], Statistics]:
    """Forward pass: the output, and the statistics of the batch for the backward pass.

    Args:
        x: Input, as `takes` accepts it, of two or more positions.
        weight: Of each channel, float32.
        bias: Of each channel, float32.
        running: Running mean and variance, float32, changed in place.
        momentum: Share of the batch in the running statistics.
        eps: Added to the variance.
        dtype: Of the output.
    """
    out = torch.empty_like(x, dtype=dtype)
    mean, scale = torch.empty_like(weight), torch.empty_like(weight)
    name = f"batch_norm_forward_{compiled.DTYPES[x.dtype]}_{compiled.DTYPES[dtype]}"
    compiled.call(name, _sizes(x), x, weight, bias, *running, out, mean, scale, float(momentum), float(eps))
    return out, (mean, scale)


def evaluate(
    x: Float[Tensor, "B C H W"], scale: Float[Tensor, " C"], shift: Float[Tensor, " C"], dtype: torch.dtype
) -> Float[Tensor, "B C H W"]:
    """The output at evaluation, x * scale + shift, in a dtype that `takes` accepts."""
    out = torch.empty_like(x, dtype=dtype)
    name = f"batch_norm_apply_{compiled.DTYPES[x.dtype]}_{compiled.DTYPES[dtype]}"
    compiled.call(name, _sizes(x), x, scale, shift, out)
    return out


def backward(
    grad: Float[Tensor, "B C H W"],
    x: Float[Tensor, "B C H W"],
    weight: Float[Tensor, " C"],
    statistics: Statistics,
    beside: Float[Tensor, "B C H W"] | None = None,
) -> tuple[Float[Tensor, "B C H W"], Float[Tensor, " C"], Float[Tensor, " C"]]:
    """Backward pass: gradients of the input, in its dtype, and of weight and bias, in float32.

    Args:
        grad: Gradient of the output, in its dtype.
        x: Input of the forward pass.
        weight: Of each channel.
        statistics: What `forward` gave.
        beside: A gradient of the input from elsewhere, which is added to this one; None for none.
    """
    beside = None if beside is None else beside.to(x.dtype).contiguous(memory_format=torch.channels_last)
    grad = grad.contiguous(memory_format=torch.channels_last)
    grad_x, grad_weight, grad_bias = torch.empty_like(x), torch.empty_like(weight), torch.empty_like(weight)
    name = f"batch_norm_backward_{compiled.DTYPES[x.dtype]}_{compiled.DTYPES[grad.dtype]}"
    compiled.call(name, _sizes(x), grad, x, *statistics, weight, beside, grad_x, grad_weight, grad_bias)
    return grad_x, grad_weight, grad_bias


def _sizes(x: Tensor) -> tuple[int, int]:
    return x.shape[0] * x.shape[2] * x.shape[3], x.shape[1]
