"""Sums of pairs of strip convolutions, accumulated in place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeGuard

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from foveate.plugins.ops.depthwise import DepthwiseConv2d, agree, may_be_ours
from foveate.plugins.ops.hooks import has_no_hooks
from foveate.plugins.ops.kernels import ON_GPU, kernels_for, kernels_of

Pair = tuple[nn.Module, nn.Module]


def add_strips(x: Float[Tensor, "B C H W"], pairs: Sequence[Pair]) -> Float[Tensor, "B C H W"]:
    """x plus, for each pair of convolutions, the second applied to the first applied to x.

    On a GPU, and in training in bfloat16 on a CPU, each convolution adds its result to the sum in place, in the forward
    and in the backward pass, which saves writing and reading one feature map per sum.

    Args:
        x: Input.
        pairs: Pairs of convolutions that keep the size. They are called as modules unless all are plain
            `DepthwiseConv2d` without hooks.
    """
    convs = [conv for pair in pairs for conv in pair if _is_bare(conv)]
    if pairs and len(convs) == 2 * len(pairs) and may_be_ours(convs[0], x) and kernels_for(x) is not None:
        operands = [conv.operands(x) for conv in convs]
        cast, parameters = operands[0][0], [one for _, *both in operands for one in both]
        if (kernels_for(cast) is ON_GPU or cast.dtype == torch.bfloat16) and _is_fit(cast, parameters):
            out: Tensor = _Sum.apply(cast, *parameters)
            return out
    total = x
    for across, down in pairs:
        total = total + down(across(x))
    return total


def _is_bare(module: nn.Module) -> TypeGuard[DepthwiseConv2d]:
    """Whether a module is a plain `DepthwiseConv2d` of stride and dilation 1, not parametrised and without hooks."""
    if type(module) is not DepthwiseConv2d or (*module.stride, *module.dilation) != (1, 1, 1, 1):
        return False
    return has_no_hooks(module)


def _is_fit(x: Tensor, parameters: list[Tensor | None]) -> bool:
    fits = all(one is not None and agree(x, one) and one.shape[0] == x.shape[1] for one in parameters)
    return fits and kernels_for(x) is not None


def _fours(parameters: Sequence[Tensor]) -> list[Sequence[Tensor]]:
    """Groups of four parameters: the two kernels of each pair, each with its bias."""
    return [parameters[first : first + 4] for first in range(0, len(parameters), 4)]


class _Sum(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, *parameters: Tensor) -> Tensor:
        out, between, kernels = x.clone(), [], kernels_of(x)
        for across, across_bias, down, down_bias in _fours(parameters):
            between.append(kernels.forward(x, across, across_bias))
            kernels.forward(between[-1], down, down_bias, onto=out)
        ctx.save_for_backward(x, *between, *parameters)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, *rest = ctx.saved_tensors
        count = len(rest) // 5
        between, parameters = rest[:count], _fours(rest[count:])
        grad = grad.contiguous(memory_format=torch.channels_last)
        grad_x, gradients, kernels = grad.clone(), [], kernels_of(x)
        for seen, (across, _, down, _) in zip(between, parameters, strict=True):
            grad_seen, *of_down = kernels.backward(grad, seen, down, None)
            assert grad_seen is not None
            _, *of_across = kernels.backward(grad_seen, x, across, None, onto=grad_x)
            gradients += [*of_across, *of_down]
        return grad_x, *gradients
