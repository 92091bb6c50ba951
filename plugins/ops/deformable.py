"""Deformable convolution whose training is fast on a CPU."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable
from torchvision.ops import deform_conv2d  # type: ignore[import-untyped]

from foveate.plugins.ops.eager import is_eager_on_cpu
from foveate.plugins.ops.native import deformable as native
from foveate.plugins.ops.native.compiled import takes
from foveate.plugins.ops.precision import without_autocast

Pair = tuple[int, int]
MOST = 2**24  # float32 numbers of the samples that are held at a time, unless one image has more


def deformable_conv(
    x: Float[Tensor, "B C H W"],
    offset: Float[Tensor, "B T2 H W"],
    weight: Float[Tensor, "D C h w"],
    bias: Float[Tensor, " D"] | None,
    modulation: Float[Tensor, "B T H W"] | None,
    padding: Pair,
    dilation: Pair,
) -> Float[Tensor, "B D H W"]:
    """Convolution whose taps are moved; the size of the map stays as it is.

    In float32 on a CPU native kernels sample a position's channels at once; elsewhere torchvision's operator is used.

    Args:
        x: The feature map.
        offset: Down and to the right, of each of the T = h w taps in turn.
        weight: The kernel.
        bias: One number for each output channel, or None.
        modulation: Factor of each sample; None for 1.
        padding: Rows and columns of zeros around the map.
        dilation: Rows and columns between the taps.
    """
    if is_eager_on_cpu(x) and x.dtype == torch.float32:
        by_position = x.contiguous(memory_format=torch.channels_last)
        if takes(by_position):
            out: Tensor = _Kernel.apply(by_position, offset, weight, bias, modulation, padding, dilation)
            return out
    sampled: Tensor = deform_conv2d(x, offset, weight, bias, padding=padding, dilation=dilation, mask=modulation)
    return sampled


class _Kernel(torch.autograd.Function):
    """The forward pass samples the feature map by a native kernel and multiplies the samples by the weights.

    The backward pass samples again instead of keeping the samples, which are as many feature maps as there are taps.
    """

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        offset: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        modulation: Tensor | None,
        padding: Pair,
        dilation: Pair,
    ) -> Tensor:
        given = (_rows(x), _taps(offset, 2), None if modulation is None else _taps(modulation, 1))
        ctx.geometry = (*weight.shape[2:], *padding, *dilation)
        ctx.save_for_backward(*given, weight)
        out = x.new_empty(len(x), *x.shape[2:], len(weight))
        flat = _flat(weight)
        for part in _parts(x, flat):
            columns = native.sample(*_cut(given, part), ctx.geometry).flatten(0, 2).flatten(1)
            to = out[part].view(len(columns), -1)
            torch.mm(columns, flat.t(), out=to) if bias is None else torch.addmm(bias, columns, flat.t(), out=to)
        return out.permute(0, 3, 1, 2)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        with without_autocast(grad.device):
            return _gradients(ctx, grad)


def _gradients(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
    x, offset, modulation, weight = ctx.saved_tensors
    given, flat, grad = (x, offset, modulation), _flat(weight), _rows(grad)
    grad_flat, grads = torch.zeros_like(flat), []
    for part in _parts(grad.permute(0, 3, 1, 2), flat):
        own, rows = _cut(given, part), grad[part].flatten(0, 2)
        grad_flat.addmm_(rows.t(), native.sample(*own, ctx.geometry).flatten(0, 2).flatten(1))
        grads.append(native.sample_backward((rows @ flat).view(*own[1].shape[:4], -1), *own, ctx.geometry))
    of_x, of_offset, of_modulation = zip(*grads, strict=True)
    height, width = weight.shape[2:]
    return (
        torch.cat(of_x).permute(0, 3, 1, 2),
        torch.cat(of_offset).flatten(3).permute(0, 3, 1, 2),
        grad_flat.view(len(weight), height, width, -1).permute(0, 3, 1, 2),
        grad.sum((0, 1, 2)) if ctx.needs_input_grad[3] else None,
        None if modulation is None else torch.cat(of_modulation).permute(0, 3, 1, 2),
        None,
        None,
    )


def _rows(x: Tensor) -> Tensor:
    """(B, C, H, W) as contiguous (B, H, W, C)."""
    return x.permute(0, 2, 3, 1).contiguous()


def _taps(given: Tensor, each: int) -> Tensor:
    """(B, T E, H, W) by position: (B, H, W, T), or (B, H, W, T, E) where a tap has several numbers."""
    rows = _rows(given)
    return rows if each == 1 else rows.view(*rows.shape[:3], -1, each)


def _flat(weight: Tensor) -> Tensor:
    """The kernel as a matrix (D, T C)."""
    return weight.permute(0, 2, 3, 1).flatten(1)


def _parts(x: Tensor, flat: Tensor) -> list[slice]:
    """Images whose samples are held at a time."""
    each = max(1, MOST // max(1, x.shape[2] * x.shape[3] * flat.shape[1]))
    return [slice(first, first + each) for first in range(0, len(x), each)]


def _cut(given: tuple[Tensor, Tensor, Tensor | None], part: slice) -> tuple[Tensor, Tensor, Tensor | None]:
    x, offset, modulation = given
    return x[part], offset[part], None if modulation is None else modulation[part]
