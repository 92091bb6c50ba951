"""The kernels of depthwise convolution, as functions of tensors."""

from __future__ import annotations

import ctypes

import torch
from jaxtyping import Float
from torch import Tensor

from foveate.plugins.ops.native.library import kernels

DTYPES = {torch.float32: "float", torch.bfloat16: "bfloat16"}
LANES = 8  # channels that lie together and are worth a kernel's while


def takes(x: Float[Tensor, "B C H W"]) -> bool:
    """Whether the kernels are there, and take such a map: on the CPU, channels_last, bfloat16 or float32."""
    return (
        x.device.type == "cpu"
        and x.dtype in DTYPES
        and x.shape[1] % LANES == 0
        and x.numel() > 0
        and x.is_contiguous(memory_format=torch.channels_last)
        and kernels() is not None
    )


def forward(
    x: Float[Tensor, "B C H W"], weight: Float[Tensor, "C 1 h w"], bias: Tensor | None, *, dilation: int, gelu: bool
) -> Float[Tensor, "B C H W"]:
    """The convolution at the map's size, and a GELU after it if asked; all of one dtype."""
    out = torch.empty_like(x)
    function = _function("depthwise_forward", x)
    function(_sizes(x, weight, dilation), *_places(x, weight.contiguous(), bias, out), int(gelu))
    return out


def backward(
    grad: Float[Tensor, "B C H W"],
    x: Float[Tensor, "B C H W"],
    weight: Float[Tensor, "C 1 h w"],
    bias: Tensor | None,
    *,
    dilation: int,
    gelu: bool,
    wants_input: bool,
) -> tuple[Tensor | None, Float[Tensor, "C 1 h w"], Float[Tensor, " C"]]:
    """Gradients of the map (if wanted), of the kernel and of the bias, in the dtype of each; sums are in float32.

    Args:
        grad: Gradient of what `forward` gave.
        x: What `forward` was given, as are weight, bias, dilation and gelu.
        wants_input: Whether the gradient of the map is wanted.
    """
    grad = grad.to(x.dtype).contiguous(memory_format=torch.channels_last)
    grad_x = torch.empty_like(x) if wants_input else None
    grad_weight = torch.empty(weight.shape, dtype=torch.float32)
    grad_bias = torch.empty(weight.shape[0], dtype=torch.float32)
    places = _places(x, grad, weight.contiguous(), bias, grad_x, grad_weight, grad_bias)
    _function("depthwise_backward", x)(_sizes(x, weight, dilation), *places, int(gelu))
    return grad_x, grad_weight.to(weight.dtype), grad_bias.to(weight.dtype)


def _function(name: str, x: Tensor) -> ctypes._NamedFuncPointer:
    library = kernels()
    assert library is not None
    function: ctypes._NamedFuncPointer = getattr(library, f"{name}_{DTYPES[x.dtype]}")
    function.restype = None
    return function


def _sizes(x: Tensor, weight: Tensor, dilation: int) -> ctypes.Array[ctypes.c_long]:
    return (ctypes.c_long * 7)(x.shape[0], x.shape[2], x.shape[3], x.shape[1], *weight.shape[2:], dilation)


def _places(*tensors: Tensor | None) -> list[ctypes.c_void_p]:
    return [ctypes.c_void_p(None if tensor is None else tensor.data_ptr()) for tensor in tensors]
