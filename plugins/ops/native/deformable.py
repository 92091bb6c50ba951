"""Python interface of the native kernels of deformable convolution's sampling."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from foveate.plugins.ops.native.compiled import call


def sample(
    x: Float[Tensor, "B H W C"],
    offset: Float[Tensor, "B H W T 2"],
    modulation: Float[Tensor, "B H W T"] | None,
    geometry: Sequence[int],
) -> Float[Tensor, "B H W T C"]:
    """Sample the map bilinearly at each position and tap; outside there are zeros.

    Args:
        x: The map, float32, as are all tensors here; contiguous in this order.
        offset: How far each tap is moved, down and to the right.
        modulation: Factor of each sample; None for 1.
        geometry: Kernel, padding and dilation, each rows and columns.
    """
    columns = x.new_empty(*offset.shape[:4], x.shape[3])
    call("deformable_forward", (*x.shape, *geometry), x, offset, modulation, columns)
    return columns


def sample_backward(
    grad: Float[Tensor, "B H W T C"],
    x: Float[Tensor, "B H W C"],
    offset: Float[Tensor, "B H W T 2"],
    modulation: Float[Tensor, "B H W T"] | None,
    geometry: Sequence[int],
) -> tuple[Float[Tensor, "B H W C"], Float[Tensor, "B H W T 2"], Float[Tensor, "B H W T"] | None]:
    """Backward pass of `sample`: gradients of map, offsets and modulation.

    Args:
        grad: Gradient of the samples.
        x: The map.
        offset: How far each tap is moved.
        modulation: Factor of each sample; None for 1.
        geometry: Kernel, padding and dilation, each rows and columns.
    """
    grad_x, grad_offset = torch.zeros_like(x), torch.empty_like(offset)
    grad_modulation = None if modulation is None else torch.empty_like(modulation)
    sizes = (*x.shape, *geometry)
    call("deformable_backward", sizes, grad, x, offset, modulation, grad_x, grad_offset, grad_modulation)
    return grad_x, grad_offset, grad_modulation
