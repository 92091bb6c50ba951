"""A convolution fused with the operator after it by oneDNN, if available; otherwise two separate operators.

A GELU after a convolution takes longer than the convolution itself, mostly to write and read a new feature map.
torch.compile uses the same fused operators. A traced graph holds the separate ones, so that another runtime can fuse
them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from foveate.plugins.ops.affine import is_plain
from foveate.plugins.ops.eager import is_eager, is_eager_on_cpu
from foveate.plugins.ops.kernels import ON_GPU, kernels_for

Scalars = list[float | None]


class Activation(NamedTuple):
    """An activation: its name in oneDNN, and PyTorch's operator."""

    name: str
    scalars: Scalars
    algorithm: str
    plain: Callable[[Tensor], Tensor]


def name_activation(module: nn.Module) -> Activation | None:
    """The activation that a module computes, if it can be fused with a convolution."""
    if isinstance(module, nn.GELU):
        return Activation("gelu", [], module.approximate, lambda x: F.gelu(x, approximate=module.approximate))
    if type(module) is nn.ReLU:
        return Activation("relu", [], "", F.relu)
    if type(module) is nn.ReLU6:
        return Activation("hardtanh", [0.0, 6.0], "", F.relu6)
    if type(module) is nn.SiLU:
        return Activation("swish", [], "", F.silu)
    return None


class FusedConv2d(nn.Module):
    """A convolution fused with its activation, or with the addition or product of another feature map.

    Args:
        conv: A convolution for which `can_fuse` holds.
        activation: The activation after it; None for none.
    """

    def __init__(self, conv: nn.Conv2d, activation: Activation | None = None) -> None:
        super().__init__()
        self.weight = conv.weight
        self.bias = conv.bias
        self.sizes: list[Any] = [list(conv.padding), list(conv.stride), list(conv.dilation), conv.groups]
        self.activation = activation
        self.keeps_size = _keeps_size(conv)

    def forward(self, x: Float[Tensor, "B I H W"]) -> Float[Tensor, "B C h w"]:
        if self.activation is None:
            return self._convolve(x)
        if not _has_one_pass(x):
            return self.activation.plain(self._convolve(x))
        name, scalars, algorithm, _ = self.activation
        out: Tensor = torch.ops.mkldnn._convolution_pointwise(
            x.to(self.weight.dtype), self.weight, self.bias, *self.sizes, name, scalars, algorithm
        )
        return out

    def added(self, x: Float[Tensor, "B I H W"], other: Float[Tensor, "B C h w"]) -> Float[Tensor, "B C h w"]:
        """The convolution of `x`, plus another feature map."""
        return self._binary(x, other, "add") if _has_one_pass(x) else self._convolve(x) + other

    def times(self, x: Float[Tensor, "B I H W"], other: Float[Tensor, "B C h w"]) -> Float[Tensor, "B C h w"]:
        """The convolution of `x`, times another feature map."""
        return self._binary(x, other, "mul") if _has_one_pass(x) else self._convolve(x) * other

    def _convolve(self, x: Tensor) -> Tensor:
        padding, stride, dilation, groups = self.sizes
        if self.keeps_size and self._is_for_a_gpu(x):
            return ON_GPU.forward(x, self.weight, self.bias, dilation=dilation[0])
        return F.conv2d(x, self.weight, self.bias, stride, padding, dilation, groups)

    def _is_for_a_gpu(self, x: Tensor) -> bool:
        """Whether a kernel of ours takes this feature map, without a gradient."""
        fits = self.weight.dtype == x.dtype and self.weight.shape[0] == x.shape[1]
        is_free = is_eager() and not torch.is_grad_enabled() and not torch.is_autocast_enabled(x.device.type)
        return fits and is_free and kernels_for(x) is ON_GPU

    def _binary(self, x: Tensor, other: Tensor, name: str) -> Tensor:
        dtype = self.weight.dtype
        out: Tensor = torch.ops.mkldnn._convolution_pointwise.binary(
            x.to(dtype), other.to(dtype), self.weight, self.bias, *self.sizes, name, None, None, [], None
        )
        return out


def _keeps_size(conv: nn.Conv2d) -> bool:
    """Whether this is a depthwise convolution of stride 1 whose output has the size of its input."""
    sides, dilation = conv.kernel_size, conv.dilation[0]
    is_centred = tuple(conv.padding) == tuple(dilation * (side // 2) for side in sides)
    is_plain_grid = conv.stride == (1, 1) and conv.dilation == (dilation, dilation) and all(side % 2 for side in sides)
    return conv.groups == conv.in_channels == conv.out_channels and is_centred and is_plain_grid


def can_fuse(conv: nn.Module) -> bool:
    """Whether this is a plain convolution with zero padding, given as numbers."""
    return is_plain(conv) and conv.padding_mode == "zeros" and not isinstance(conv.padding, str)


def _has_one_pass(x: Tensor) -> bool:
    return HAS_ONE_PASS and is_eager_on_cpu(x)


def _try_one_pass() -> bool:
    """Whether this version of PyTorch has the operators, with the names and arguments that are used here."""
    try:
        conv = FusedConv2d(nn.Conv2d(1, 1, 1), name_activation(nn.GELU()))
        x = torch.ones(1, 1, 2, 2)
        with torch.no_grad():
            torch.ops.mkldnn._convolution_pointwise(x, conv.weight, conv.bias, *conv.sizes, "gelu", [], "none")
            conv._binary(x, x, "mul")
    except (AttributeError, RuntimeError, TypeError):
        return False
    return True


HAS_ONE_PASS = _try_one_pass()
