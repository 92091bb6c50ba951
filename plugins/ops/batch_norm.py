"""Batch norm whose output under autocast is what the next convolution reads."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from foveate.plugins.ops.eager import is_eager_on_cpu
from foveate.plugins.ops.hooks import has_no_hooks
from foveate.plugins.ops.native import batch_norm as native


class BatchNorm2d(nn.BatchNorm2d):
    """Batch norm; under autocast on a CPU a native kernel gives the output in autocast's dtype.

    PyTorch's own gives float32 for an input in float32, which the next convolution then reads and rounds. Statistics
    and gradients are summed in float32 or better.
    """

    def forward(self, input: Float[Tensor, "B C H W"]) -> Float[Tensor, "B C H W"]:
        return self.beside(input)[1]

    def beside(self, x: Float[Tensor, "B C H W"]) -> tuple[Float[Tensor, "B C H W"], Float[Tensor, "B C H W"]]:
        """The input itself, for a shortcut beside the norm, and the output; gradients of both are added in one pass."""
        if self.training != torch.is_grad_enabled() or not self._is_ours(x):
            return x, super().forward(x)
        return self._learn(x) if self.training else (x, self._evaluate(x))

    def _is_ours(self, x: Tensor) -> bool:
        if not (is_eager_on_cpu(x) and torch.is_autocast_enabled("cpu")):
            return False
        stored = self.affine and self.momentum is not None and self.running_mean is not None
        several = x.ndim == 4 and x.shape[1] == self.num_features and x.numel() > self.num_features
        exact = stored and self.weight.dtype == torch.float32
        return exact and several and native.takes(x, torch.get_autocast_dtype("cpu"))

    def _learn(self, x: Tensor) -> tuple[Tensor, Tensor]:
        if self.num_batches_tracked is not None:
            self.num_batches_tracked.add_(1)
        running = (self.running_mean, self.running_var)
        shortcut, out = _Kernel.apply(x, self.weight, self.bias, running, self.momentum, self.eps)
        return shortcut, out

    def _evaluate(self, x: Tensor) -> Tensor:
        assert self.running_mean is not None
        assert self.running_var is not None
        scale = self.weight * (self.running_var + self.eps).rsqrt()
        return native.evaluate(x, scale, self.bias - self.running_mean * scale, torch.get_autocast_dtype("cpu"))


def normalise_beside(
    norm: nn.Module, x: Float[Tensor, "B C H W"]
) -> tuple[Float[Tensor, "B C H W"], Float[Tensor, "B C H W"]]:
    """The input itself, for a shortcut, and its norm: see `BatchNorm2d.beside`. Any other module is called."""
    if type(norm) is BatchNorm2d and has_no_hooks(norm):
        return norm.beside(x)
    return x, norm(x)


class _Kernel(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, running: tuple[Tensor, Tensor], momentum: float, eps: float
    ) -> tuple[Tensor, Tensor]:
        dtype = torch.get_autocast_dtype("cpu")
        out, statistics = native.forward(x, weight, bias, running, momentum=momentum, eps=eps, dtype=dtype)
        ctx.save_for_backward(x, weight, *statistics)
        ctx.set_materialize_grads(False)
        return x, out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, beside: Tensor | None, grad: Tensor | None) -> tuple[Tensor | None, ...]:
        x, weight, *statistics = ctx.saved_tensors
        if grad is None:
            return beside, *5 * (None,)
        return (*native.backward(grad, x, weight, (statistics[0], statistics[1]), beside), None, None, None)
