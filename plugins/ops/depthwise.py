"""Depthwise convolution whose training is fast, on a CPU and on a GPU.

If the kernels of `native` or `gpu` are available, they compute the backward pass, and the GELU after a convolution
together with it. Otherwise PyTorch's operators do so on a GPU, and on a CPU the weight gradient is rewritten, since
oneDNN's is slow for kernels wider than three columns: at 32 channels and 128 x 128 positions, a 1 x 21 kernel takes
about forty times as long as a 21 x 1 kernel. Two exact rewrites avoid that: a row kernel is a column kernel of the
transposed tensors, and a wide kernel is a sequence of narrow kernels.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from foveate.plugins.ops.autocast import to_autocast
from foveate.plugins.ops.eager import is_eager
from foveate.plugins.ops.kernels import ON_GPU, Kernels, kernels_for, kernels_of
from foveate.plugins.ops.layout import layout_of

SMALL_MAP = 48 * 48  # positions of the largest feature map at which the rows of a tall kernel stay in the cache
FAST_COLUMNS = 3  # kernels up to this width stay on oneDNN's fast path
Pair = tuple[int, int]


class DepthwiseConv2d(nn.Conv2d):
    """Depthwise convolution that keeps the size of the feature map, divided by the stride; a faster `nn.Conv2d`.

    Args:
        channels: Number of input and output channels C.
        kernel: Height and width of the kernel, odd; or one number for both.
        stride: Step of the kernel; height and width are divided by it and rounded up.
        dilation: Distance between the positions the kernel reads.
        bias: Whether a bias is added.
    """

    def __init__(
        self, channels: int, kernel: int | Pair, *, stride: int = 1, dilation: int = 1, bias: bool = True
    ) -> None:
        size = (kernel, kernel) if isinstance(kernel, int) else kernel
        if any(side < 1 or side % 2 == 0 for side in size):
            raise ValueError(f"a depthwise kernel that keeps the size has odd sides, not {size[0]} x {size[1]}")
        padding = (dilation * (size[0] // 2), dilation * (size[1] // 2))
        super().__init__(
            channels, channels, size, stride=stride, padding=padding, dilation=dilation, groups=channels, bias=bias
        )

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B C h w"]:
        if may_be_ours(self, x) and (x.device.type == "cpu" or kernels_for(x, self.stride[0]) is not None):
            cast, weight, bias = self.operands(x)
            if agree(cast, weight) and cast.shape[1] == self.in_channels and self._has_slow_gradient(cast):
                out: Tensor = _FastGradient.apply(cast, weight, bias, self.padding, self.dilation[0], self.stride[0])
                return out
        return super().forward(x)

    def operands(self, x: Float[Tensor, "B C H W"]) -> tuple[Tensor, Tensor, Tensor | None]:
        """x, weight and bias, cast as by autocast; float32 weights are not cast if a kernel of ours takes them."""
        (cast,) = to_autocast(x)
        is_mixed = torch.is_autocast_enabled(x.device.type) and self.weight.dtype == torch.float32
        if is_mixed and kernels_for(cast, self.stride[0]) is not None:
            return cast, self.weight, self.bias
        cast, weight, bias = to_autocast(x, self.weight, self.bias)
        return cast, weight, bias

    def forward_gelu(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B C h w"]:
        """The convolution followed by GELU, in one kernel of ours if it is available."""
        if self.stride[0] == 1 and is_eager() and kernels_for(x) is not None:
            cast, weight, bias = self.operands(x)
            if agree(cast, weight) and cast.shape[1] == self.in_channels and kernels_for(cast) is not None:
                out: Tensor = _FusedGelu.apply(cast, weight, bias, self.dilation[0])
                return out
        return F.gelu(self(x))

    def _has_slow_gradient(self, x: Tensor) -> bool:
        """Whether PyTorch's gradient was measured to be slow: on a GPU wherever a kernel of ours takes the feature map,
        on a CPU for wide kernels, strides, dilations, and all in bfloat16."""
        kernels = kernels_for(x, self.stride[0])
        if kernels is ON_GPU:
            return True
        if self.stride[0] == 1 and self.kernel_size[1] > FAST_COLUMNS:
            return True
        spread = self.stride[0] > 1 or self.dilation[0] > 1
        return (spread or x.dtype == torch.bfloat16) and kernels is not None


def may_be_ours(conv: nn.Conv2d, x: Tensor) -> bool:
    """Whether hand-written kernels may take this: on a GPU, and elsewhere where the weight's gradient is asked for."""
    learns = torch.is_grad_enabled() and conv.weight.requires_grad
    return is_eager() and (learns or kernels_for(x, conv.stride[0]) is ON_GPU)


def agree(x: Tensor, weight: Tensor) -> bool:
    """Whether input and kernel have the same dtype, or dtypes that autocast allows together."""
    return weight.dtype == x.dtype or (weight.dtype == torch.float32 and torch.is_autocast_enabled(x.device.type))


def is_faster_forward(kernels: Kernels, x: Tensor, weight: Tensor) -> bool:
    """Whether our forward pass is faster: always on a GPU; on a CPU 1.0 to 1.8 times in bfloat16, but not for 3 x 3
    kernels, nor for tall kernels on large feature maps."""
    if kernels is ON_GPU:
        return True
    rows, columns = weight.shape[2:]
    is_long = columns > FAST_COLUMNS or (rows > FAST_COLUMNS and x.shape[2] * x.shape[3] <= SMALL_MAP)
    return is_long and x.dtype == torch.bfloat16


class _FastGradient(torch.autograd.Function):
    """Backward pass by a native kernel; without it, PyTorch's input gradient and a rewritten weight gradient."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, padding: Pair, dilation: int, stride: int
    ) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.padding, ctx.dilation, ctx.stride = padding, dilation, stride
        kernels = kernels_for(x) if stride == 1 else None
        if kernels is not None and is_faster_forward(kernels, x, weight):
            return kernels.forward(x, weight, bias, dilation=dilation, gelu=False)
        weight, bias = weight.to(x.dtype), None if bias is None else bias.to(x.dtype)
        return F.conv2d(x, weight, bias, stride=stride, padding=padding, dilation=dilation, groups=x.shape[1])

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None, None, None, None]:
        x, weight = ctx.saved_tensors
        wants_x, _, wants_bias, *_ = ctx.needs_input_grad
        kernels = kernels_for(x, ctx.stride)
        if kernels is not None and not torch.is_grad_enabled():  # second derivatives need PyTorch's operators
            grad_x, grad_weight, grad_bias = kernels.backward(
                grad, x, weight, None, dilation=ctx.dilation, gelu=False, wants_input=wants_x, stride=ctx.stride
            )
            return grad_x, grad_weight, grad_bias if wants_bias else None, None, None, None
        weight, total = weight.to(x.dtype), grad.sum((0, 2, 3)) if wants_bias else None
        place = (ctx.padding, ctx.dilation, ctx.stride)
        if ctx.stride > 1:
            return *_convolution_backward(grad, x, weight, *place, (wants_x, True, False))[:2], total, None, None, None
        grad_x = _convolution_backward(grad, x, weight, *place, (True, False, False))[0] if wants_x else None
        return grad_x, weight_gradient(grad, x, weight, ctx.padding, ctx.dilation), total, None, None, None


class _FusedGelu(torch.autograd.Function):
    """Convolution and GELU as one kernel per direction; only the input is saved, the rest is recomputed."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, dilation: int) -> Tensor:
        ctx.save_for_backward(x, weight, bias)
        ctx.dilation = dilation
        return kernels_of(x).forward(x, weight, bias, dilation=dilation, gelu=True)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor, Tensor | None, None]:
        x, weight, bias = ctx.saved_tensors
        grad_x, grad_weight, grad_bias = kernels_of(x).backward(
            grad, x, weight, bias, dilation=ctx.dilation, gelu=True, wants_input=ctx.needs_input_grad[0]
        )
        return grad_x, grad_weight, grad_bias if ctx.needs_input_grad[2] else None, None


def weight_gradient(grad: Tensor, x: Tensor, weight: Tensor, padding: Pair, dilation: int) -> Tensor:
    """Gradient of a depthwise kernel (C, 1, h, w), computed by kernels of at most three columns.

    Args:
        grad: Gradient of the output, (B, C, H, W).
        x: The input, (B, C, H, W).
        weight: The kernel, of which only shape and dtype matter.
        padding: Rows and columns of zero padding that keep the size.
        dilation: Distance between the positions the kernel reads.
    """
    if weight.shape[2] == 1:
        flipped = weight_gradient_plain(
            _transposed(grad), _transposed(x), weight.transpose(2, 3), (padding[1], padding[0]), dilation
        )
        return flipped.transpose(2, 3)
    padded = F.pad(x, (padding[1], padding[1]))
    firsts = range(0, weight.shape[3], FAST_COLUMNS)
    return torch.cat([_columns(grad, padded, weight, padding[0], dilation, first) for first in firsts], dim=3)


def weight_gradient_plain(grad: Tensor, x: Tensor, weight: Tensor, padding: Pair, dilation: int) -> Tensor:
    """The reference: the same by PyTorch's own operator."""
    gradient = _convolution_backward(grad, x, weight, padding, dilation, 1, (False, True, False))[1]
    assert gradient is not None
    return gradient


def _columns(grad: Tensor, padded: Tensor, weight: Tensor, rows: int, dilation: int, first: int) -> Tensor:
    """Gradient of at most three kernel columns, starting at `first`."""
    part = weight[..., first : first + FAST_COLUMNS].contiguous()
    start = first * dilation
    width = grad.shape[3] + (part.shape[3] - 1) * dilation
    window = padded[..., start : start + width].contiguous(memory_format=layout_of(padded))
    return weight_gradient_plain(grad, window, part, (rows, 0), dilation)


def _transposed(x: Tensor) -> Tensor:
    return x.transpose(2, 3).contiguous(memory_format=layout_of(x))


def _convolution_backward(
    grad: Tensor,
    x: Tensor,
    weight: Tensor,
    padding: Pair,
    dilation: int,
    stride: int,
    wanted: tuple[bool, bool, bool],
) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
    gradients: tuple[Tensor | None, Tensor | None, Tensor | None] = torch.ops.aten.convolution_backward(
        grad, x, weight, None, [stride] * 2, list(padding), [dilation] * 2, False, [0, 0], x.shape[1], list(wanted)
    )
    return gradients
