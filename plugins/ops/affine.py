"""Fold batch norm and per-channel scale into the adjacent convolution: exact, but for rounding."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.utils.parametrize import is_parametrized

from foveate.plugins.ops.depthwise import DepthwiseConv2d
from foveate.plugins.ops.norm import PooledBatchNorm2d

PLAIN = (nn.Conv2d, DepthwiseConv2d)  # other classes of convolution may do more than the weights say
NORMS = (nn.BatchNorm2d, nn.SyncBatchNorm, PooledBatchNorm2d)


class Affine(NamedTuple):
    """`scale * x + shift`, channel by channel."""

    scale: Float[Tensor, " C"]
    shift: Float[Tensor, " C"]


def can_fold(conv: nn.Module, norm: nn.Module) -> bool:
    """Whether both are of the plain kind: stored weights, stored statistics, nothing hooked in between."""
    if not is_plain(conv) or type(norm) not in NORMS or is_parametrized(norm):
        return False
    return norm.running_mean is not None and norm.num_features == conv.out_channels


def is_plain(conv: nn.Module) -> bool:
    """Whether a module is a convolution of stored weights and nothing more."""
    return type(conv) in PLAIN and not is_parametrized(conv)


def affine_of(norm: _NormBase) -> Affine:
    """The affine function of a batch norm at evaluation, in float64, where a small variance costs no digits."""
    assert norm.running_mean is not None
    assert norm.running_var is not None
    scale = (norm.running_var.double() + norm.eps).rsqrt()
    if norm.affine:
        scale = scale * norm.weight.double()
    shift = -norm.running_mean.double() * scale
    return Affine(scale, shift + norm.bias.double() if norm.affine else shift)


def scaling(scale: Float[Tensor, " C"]) -> Affine:
    """A factor for each channel, without shift."""
    scale = scale.detach().double()
    return Affine(scale, torch.zeros_like(scale))


def fold_after(conv: nn.Conv2d, affine: Affine) -> None:
    """Fold what follows a convolution into its weights, in place.

    Args:
        conv: The convolution.
        affine: What follows it.
    """
    weight = affine.scale[:, None, None, None] * conv.weight.double()
    _renew(conv, weight, affine.scale * _bias_of(conv) + affine.shift)


def fold_before(affine: Affine, conv: nn.Conv2d) -> None:
    """Fold what precedes a convolution into its weights, in place.

    Only a 1 x 1 convolution without padding can take it: where zeros are padded the shift would be missing.

    Args:
        affine: What precedes it.
        conv: The convolution.

    Raises:
        ValueError: The convolution pads, or has groups.
    """
    if conv.groups != 1 or any(side != 1 for side in conv.kernel_size):
        raise ValueError(f"only a 1 x 1 convolution takes what comes before it, not {conv}")
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
