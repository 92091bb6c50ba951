"""Python interface of the native kernels of a scaled residual branch."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from foveate.plugins.ops.native import compiled

# Dtypes of the shortcut, the branch, and what is added to it.
TAKEN = {
    (torch.float32, torch.float32, torch.float32),
    (torch.float32, torch.bfloat16, torch.float32),
    (torch.float32, torch.bfloat16, torch.bfloat16),
    (torch.bfloat16, torch.bfloat16, torch.bfloat16),
}


def takes(x: Float[Tensor, "B C H W"], branch: Tensor, more: Tensor | None) -> bool:
    """Whether the kernels support these tensors: float32 or bfloat16, none of them narrower than the branch."""
    given = [x, branch] if more is None else [x, branch, more]
    alike = all(one.shape == x.shape for one in given)  # else PyTorch broadcasts or refuses them
    return alike and (x.dtype, branch.dtype, given[-1].dtype) in TAKEN and all(map(compiled.takes, given))


def forward(
    x: Float[Tensor, "B C H W"], branch: Float[Tensor, "B C H W"], scale: Float[Tensor, "B C"], more: Tensor | None
) -> Float[Tensor, "B C H W"]:
    """Forward pass: x + scale * (branch + more), in float32."""
    out = torch.empty_like(x, dtype=torch.float32)
    name = f"residual_forward_{compiled.DTYPES[x.dtype]}_{_types(branch, more)}"
    compiled.call(name, _sizes(x), x, branch, more, scale, out)
    return out


def backward(
    grad: Float[Tensor, "B C H W"], branch: Float[Tensor, "B C H W"], scale: Float[Tensor, "B C"], more: Tensor | None
) -> tuple[Float[Tensor, "B C H W"], Tensor | None, Float[Tensor, "B C"]]:
    """Backward pass: gradients of branch, more (None if more is None) and scale; the gradient of x is `grad`.

    The gradients of branch and more are equal, and one tensor if their dtypes are.
    """
    grad = grad.contiguous(memory_format=torch.channels_last)
    grad_branch, grad_scale = torch.empty_like(branch), torch.empty_like(scale)
    grad_more = None if more is None or more.dtype == branch.dtype else torch.empty_like(more)
    name = f"residual_backward_{_types(branch, more)}"
    compiled.call(name, _sizes(grad), grad, branch, more, scale, grad_branch, grad_more, grad_scale)
    return grad_branch, grad_branch if grad_more is None and more is not None else grad_more, grad_scale


def _types(branch: Tensor, more: Tensor | None) -> str:
    return "_".join(compiled.DTYPES[one.dtype] for one in (branch, branch if more is None else more))


def _sizes(x: Tensor) -> tuple[int, int, int]:
    return x.shape[0], x.shape[2] * x.shape[3], x.shape[1]
