"""GELU that is fast on a CPU in bfloat16."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from foveate.plugins.ops.eager import is_eager_on_cpu
from foveate.plugins.ops.native.compiled import call, kernels


class GELU(nn.GELU):
    """GELU; in bfloat16 on a CPU by a native kernel whose error is below the precision of the dtype."""

    def forward(self, input: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        if input.dtype == torch.bfloat16 and is_eager_on_cpu(input) and _is_dense(input) and kernels() is not None:
            out: Tensor = _Kernel.apply(input)
            return out
        return F.gelu(input)


def _is_dense(x: Tensor) -> bool:
    return x.is_contiguous() or (x.ndim == 4 and x.is_contiguous(memory_format=torch.channels_last))


class _Kernel(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        out = torch.empty_like(x)
        call("gelu_forward_bfloat16", (x.numel(),), x, out)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        aligned, out = torch.empty_like(x).copy_(grad) if grad.stride() != x.stride() else grad, torch.empty_like(x)
        call("gelu_backward_bfloat16", (x.numel(),), x, aligned, out)
        return out
