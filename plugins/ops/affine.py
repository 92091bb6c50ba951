"""Fold batch norm and per-channel scale into the adjacent convolution: exact, but for rounding."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.utils.parametrize import is_parametrized

from foveate.plugins.ops.batch_norm import BatchNorm2d
from foveate.plugins.ops.depthwise import DepthwiseConv2d
from foveate.plugins.ops.norm import PooledBatchNorm2d

PLAIN = (nn.Conv2d, DepthwiseConv2d)  # subclasses may compute more than a convolution
NORMS = (nn.BatchNorm2d, nn.SyncBatchNorm, BatchNorm2d, PooledBatchNorm2d)


class Affine(NamedTuple):
    """The affine function `scale * x + shift`, per channel."""

    scale: Float[Tensor, " C"]
    shift: Float[Tensor, " C"]


def can_fold(conv: nn.Module, norm: nn.Module) -> bool:
    """Whether both are plain modules: stored weights, stored statistics, and no hooks."""
    if not is_plain(conv) or type(norm) not in NORMS or is_parametrized(norm):
        return False
    return norm.running_mean is not None and norm.num_features == conv.out_channels


def is_plain(conv: nn.Module) -> bool:
    """Whether a module is a plain convolution: stored weights, no parametrisation and no hooks."""
    return type(conv) in PLAIN and not is_parametrized(conv)


def affine_of(norm: _NormBase) -> Affine:
    """The affine function of a batch norm at evaluation, in float64, so that a small variance loses no digits."""
    assert norm.running_mean is not None
    assert norm.running_var is not None
    scale = (norm.running_var.double() + norm.eps).rsqrt()
    if norm.affine:
        scale = scale * norm.weight.double()
    shift = -norm.running_mean.double() * scale
    return Affine(scale, shift + norm.bias.double() if norm.affine else shift)


def scaling(scale: Float[Tensor, " C"]) -> Affine:
    """The affine function with a factor per channel and without shift."""
    scale = scale.detach().double()
    return Affine(scale, torch.zeros_like(scale))


def fold_after(conv: nn.Conv2d, affine: Affine) -> None:
    """Fold the affine function after a convolution into its weights, in place.

    Args:
        conv: The convolution.
        affine: The affine function that is applied to its output.
    """
    weight = affine.scale[:, None, None, None] * conv.weight.double()
    _renew(conv, weight, affine.scale * _bias_of(conv) + affine.shift)


def fold_before(affine: Affine, conv: nn.Conv2d) -> None:
    """Fold the affine function before a convolution into its weights, in place.

    This is possible only for a 1 x 1 convolution without padding: padded zeros do not get the shift.

    Args:
        affine: The affine function that is applied to its input.
        conv: The convolution.

    Raises:
        ValueError: The convolution pads, or has groups.
    """
    if conv.groups != 1 or any(side != 1 for side in conv.kernel_size):
        raise ValueError(f"an affine function is folded only into a following 1 x 1 convolution, not into {conv}")
    weight = conv.weight.double()
    bias = _bias_of(conv) + torch.einsum("oihw,i->o", weight, affine.shift)
    _renew(conv, weight * affine.scale[None, :, None, None], bias)


def _bias_of(conv: nn.Conv2d) -> Tensor:
    return torch.zeros_like(conv.weight[:, 0, 0, 0]).double() if conv.bias is None else conv.bias.double()


def _renew(conv: nn.Conv2d, weight: Tensor, bias: Tensor) -> None:
    dtype = conv.weight.dtype
    layout = torch.channels_last if conv.weight.is_contiguous(memory_format=torch.channels_last) else None
    conv.weight = nn.Parameter(weight.detach().to(dtype), requires_grad=False)
    if layout is not None:
        conv.weight.data = conv.weight.data.contiguous(memory_format=layout)
    conv.bias = nn.Parameter(bias.detach().to(dtype), requires_grad=False)
