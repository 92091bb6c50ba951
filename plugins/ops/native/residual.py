"""Python interface of the native kernels of a scaled residual branch."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from foveate.plugins.ops.native import compiled


def takes(x: Float[Tensor, "B C H W"], branch: Tensor, more: Tensor | None) -> bool:
    """Whether the kernels support these tensors: `x` and `more` in float32, the branch in float32 or bfloat16."""
    exact = [x] if more is None else [x, more]
    alike = all(one.shape == x.shape for one in (branch, *exact))  # else PyTorch broadcasts or refuses them
    return alike and all(one.dtype == torch.float32 and compiled.takes(one) for one in exact) and compiled.takes(branch)


def forward(
    x: Float[Tensor, "B C H W"], branch: Float[Tensor, "B C H W"], scale: Float[Tensor, "B C"], more: Tensor | None
) -> Float[Tensor, "B C H W"]:
    """Forward pass: x + scale * (branch + more), in float32."""
    out = torch.empty_like(x)
    compiled.call(f"residual_forward_{compiled.DTYPES[branch.dtype]}", _sizes(x), x, branch, more, scale, out)
    return out


def backward(
    grad: Float[Tensor, "B C H W"], branch: Float[Tensor, "B C H W"], scale: Float[Tensor, "B C"], more: Tensor | None
) -> tuple[Float[Tensor, "B C H W"], Tensor | None, Float[Tensor, "B C"]]:
    """Backward pass: gradients of branch, more (None if more is None) and scale; the gradient of x is `grad`."""
    grad = grad.contiguous(memory_format=torch.channels_last)
    grad_branch, grad_scale = torch.empty_like(branch), torch.empty_like(scale)
    grad_more = None if more is None else torch.empty_like(more)
    name = f"residual_backward_{compiled.DTYPES[branch.dtype]}"
    compiled.call(name, _sizes(grad), grad, branch, more, scale, grad_branch, grad_more, grad_scale)
    return grad_branch, grad_more, grad_scale


def _sizes(x: Tensor) -> tuple[int, int, int]:
    return x.shape[0], x.shape[2] * x.shape[3], x.shape[1]
