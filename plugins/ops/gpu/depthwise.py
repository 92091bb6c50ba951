"""Python interface of the kernels of depthwise convolution, as that of `native.depthwise`."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

# Positions of a program, and its channels. Measured on an H100: other numbers took up to five times as long.
BLOCK, BLOCK_OF_GRADIENT, LANES = 128, 256, 32


def forward(
    x: Float[Tensor, "B C H W"],
    weight: Float[Tensor, "C 1 k l"],
    bias: Tensor | None,
    *,
    dilation: int = 1,
    gelu: bool = False,
    onto: Float[Tensor, "B C H W"] | None = None,
) -> Float[Tensor, "B C H W"]:
    """Forward pass of stride 1, with the size and dtype of the input; see `native.depthwise.forward`."""
    from foveate.plugins.ops.gpu import kernels

    out = torch.empty_like(x) if onto is None else onto
    mode = kernels.ADDED if onto is not None else kernels.GELU if gelu else kernels.PLAIN
    _convolve(x, weight, bias, out, dilation=dilation, mode=mode.value)
    return out


def backward(
    grad: Float[Tensor, "B C H W"],
    x: Float[Tensor, "B C H W"],
    weight: Float[Tensor, "C 1 k l"],
    bias: Tensor | None,
    *,
    dilation: int = 1,
    gelu: bool = False,
    wants_input: bool = True,
    stride: int = 1,
    onto: Float[Tensor, "B C H W"] | None = None,
) -> tuple[Tensor | None, Float[Tensor, "C 1 k l"], Float[Tensor, " C"]]:
    """Backward pass of stride 1; see `native.depthwise.backward`. Sums have the same order each time."""
    from foveate.plugins.ops.gpu import kernels

    if stride != 1:
        raise ValueError(f"the kernels of a GPU have stride 1, not {stride}")
    grad = grad.to(x.dtype).contiguous(memory_format=torch.channels_last)
    if gelu:
        passed = torch.empty_like(grad)
        _convolve(x, weight, bias, passed, grad=grad, dilation=dilation, mode=kernels.OF_GELU.value)
        grad = passed
    grad_x = onto
    if wants_input:
        grad_x = torch.empty_like(x) if onto is None else onto
        mode = kernels.PLAIN if onto is None else kernels.ADDED
        _convolve(grad, weight, None, grad_x, dilation=dilation, mode=mode.value, flipped=True)
    sums = _correlate(x, grad, weight.shape, dilation)
    return grad_x, sums[:-1].t().reshape(weight.shape).to(weight.dtype), sums[-1].to(weight.dtype)


def _convolve(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    out: Tensor,
    *,
    grad: Tensor | None = None,
    dilation: int,
    mode: int,
    flipped: bool = False,
) -> None:
    from foveate.plugins.ops.gpu import kernels

    positions, sizes = _sizes(x, weight.shape, dilation)
    tensors = (x, weight.contiguous(), x if bias is None else bias, x if grad is None else grad, out)
    constants = {"HAS_BIAS": bias is not None, "FLIPPED": flipped, "MODE": mode, "BLOCK": BLOCK, "LANES": LANES}
    with torch.cuda.device_of(x):  # type: ignore[no-untyped-call]
        kernels.convolve[_grid(positions, x.shape[1], BLOCK)](*tensors, positions, *sizes, **constants)


def _correlate(x: Tensor, grad: Tensor, shape: torch.Size, dilation: int) -> Float[Tensor, "taps C"]:
    """Gradients of the kernel, a row for each of its places, and of the bias, the last row; in float32."""
    from foveate.plugins.ops.gpu import kernels

    positions, sizes = _sizes(x, shape, dilation)
    grid = _grid(positions, x.shape[1], BLOCK_OF_GRADIENT)
    blocks = x.new_empty((grid[0], shape[2] * shape[3] + 1, x.shape[1]), dtype=torch.float32)
    with torch.cuda.device_of(x):  # type: ignore[no-untyped-call]
        kernels.correlate[grid](x, grad, blocks, positions, *sizes, BLOCK=BLOCK_OF_GRADIENT, LANES=LANES)
    return blocks.sum(0)


def _sizes(x: Tensor, shape: torch.Size, dilation: int) -> tuple[int, tuple[int, ...]]:
    """Positions of all feature maps, and the sizes of the map, of the kernel, and the dilation."""
    batch, channels, height, width = x.shape
    return batch * height * width, (height, width, channels, shape[2], shape[3], dilation)


def _grid(positions: int, channels: int, block: int) -> tuple[int, int]:
    """Numbers of programs."""
    return -(-positions // block), -(-channels // LANES)
