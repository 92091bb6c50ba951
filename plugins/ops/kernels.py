"""The hand-written kernels of depthwise convolution that a feature map can go through."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from torch import Tensor

from foveate.plugins.ops.gpu import available as gpu_available
from foveate.plugins.ops.gpu import depthwise as gpu
from foveate.plugins.ops.native import depthwise as native


class Kernels(NamedTuple):
    """Both directions, as `native.depthwise` describes them."""

    forward: Callable[..., Tensor]
    backward: Callable[..., tuple[Tensor | None, Tensor, Tensor]]


ON_CPU = Kernels(native.forward, native.backward)
ON_GPU = Kernels(gpu.forward, gpu.backward)


def kernels_for(x: Tensor, stride: int = 1) -> Kernels | None:
    """The kernels that support this feature map; None if PyTorch's operators are required.

    Args:
        x: A feature map (B, C, H, W).
        stride: Stride of the convolution; other strides than 1 are supported on a CPU alone.
    """
    if native.takes(x):
        return ON_CPU
    return ON_GPU if stride == 1 and gpu_available.takes(x) else None


def kernels_of(x: Tensor) -> Kernels:
    """The same, where `kernels_for` was asked before."""
    kernels = kernels_for(x)
    assert kernels is not None
    return kernels
