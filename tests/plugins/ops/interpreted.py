"""The kernels of a GPU on this processor: Triton interprets them where TRITON_INTERPRET=1 is set before its import.

    TRITON_INTERPRET=1 python -m foveate.tests.plugins.ops.interpreted

prints, as JSON, by how much each result differs from PyTorch's in float64, as a share of the largest value.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import nullcontext
from unittest.mock import patch

import torch
import torch.nn.functional as F
from torch import Tensor

from foveate.plugins.attention.msca import MultiScaleConvAttention
from foveate.plugins.ops.depthwise import DepthwiseConv2d, Pair
from foveate.plugins.ops.eager import plain_operators
from foveate.plugins.ops.fused import FusedConv2d, name_activation
from foveate.plugins.ops.gpu import depthwise as gpu
from foveate.plugins.ops.native import depthwise as native

# Sides of the kernel, dilation, and shape of the feature map: odd sizes, channels beside and beyond a block of 32
CASES = [
    ((5, 5), 1, (2, 40, 9, 11)),
    ((1, 7), 1, (2, 33, 9, 11)),
    ((21, 1), 1, (1, 32, 13, 7)),
    ((7, 7), 3, (1, 8, 20, 17)),
]
DTYPES = (torch.float32, torch.bfloat16, torch.float16)


def off(given: Tensor | None, expected: Tensor | None) -> float:
    assert given is not None
    assert expected is not None
    return float((given.double() - expected.double()).abs().max() / expected.double().abs().max())


def compare(kernel: Pair, dilation: int, shape: tuple[int, ...], dtype: torch.dtype, gelu: bool, on: str) -> float:
    """The largest difference of output and gradients, of one case on a device."""
    channels = shape[1]
    x, grad = (torch.randn(shape, device=on).to(dtype).contiguous(memory_format=torch.channels_last) for _ in range(2))
    weight, bias = 0.2 * torch.randn(channels, 1, *kernel, device=on), torch.randn(channels, device=on)
    exact = [tensor.double().requires_grad_() for tensor in (x, weight, bias)]
    padding = [dilation * (side // 2) for side in kernel]
    expected = F.conv2d(*exact, padding=padding, dilation=dilation, groups=channels)
    expected = F.gelu(expected) if gelu else expected
    expected.backward(grad.double())
    found = gpu.forward(x, weight, bias, dilation=dilation, gelu=gelu)
    gradients = gpu.backward(grad, x, weight, bias, dilation=dilation, gelu=gelu)
    pairs = zip((found, *gradients), (expected.detach(), *(tensor.grad for tensor in exact)), strict=True)
    return max(off(one, other) for one, other in pairs)


def compare_sum() -> float:
    """A result that is added to what is there, in both directions."""
    x, grad = (torch.randn(2, 32, 9, 8).contiguous(memory_format=torch.channels_last) for _ in range(2))
    weight, bias, there = torch.randn(32, 1, 1, 7), torch.randn(32), x.clone()
    gpu.forward(x, weight, bias, onto=there)
    onto = grad.clone()
    gpu.backward(grad, x, weight, bias, onto=onto)
    plain = x.clone().requires_grad_()
    out = F.conv2d(plain, weight, bias, padding=(0, 3), groups=32)
    out.backward(grad)
    assert plain.grad is not None
    return max(off(there, x + out.detach()), off(onto, grad + plain.grad))


def compare_module(module: torch.nn.Module, run: Callable[[Tensor], Tensor]) -> float:
    """Output and gradients of a module through our kernels, and through PyTorch's operators."""
    x = torch.randn(2, 24, 10, 9).contiguous(memory_format=torch.channels_last)
    results = []
    for plain in (False, True):
        given = x.clone().requires_grad_()
        module.zero_grad()
        with plain_operators() if plain else nullcontext():
            out = run(given)
            out.square().sum().backward()
        results.append([out.detach(), given.grad, *(one.grad for one in module.parameters())])
    return max(off(one, other) for one, other in zip(*results, strict=True))


def compare_inference(*modules: torch.nn.Module) -> float:
    """Outputs without a gradient, through our kernels and through PyTorch's operators."""
    x = torch.randn(2, 24, 10, 9).contiguous(memory_format=torch.channels_last)
    worst = 0.0
    with torch.inference_mode():
        for module in modules:
            found = module(x)
            with plain_operators():
                worst = max(worst, off(found, module(x)))
    return worst


def main() -> None:
    torch.manual_seed(0)
    found = {}
    for kernel, dilation, shape in CASES:
        for dtype in DTYPES:
            for gelu in (False, True):
                name = f"{kernel} dilated {dilation}, {str(dtype).removeprefix('torch.')}{', gelu' if gelu else ''}"
                found[name] = compare(kernel, dilation, shape, dtype, gelu, "cpu")
    found["added, float32"] = compare_sum()
    conv, dilated, attention = DepthwiseConv2d(24, 3), DepthwiseConv2d(24, 7, dilation=3), MultiScaleConvAttention(24)
    calls = []

    def counted(*given: object, **named: object) -> None:
        calls.append(given)
        original(*given, **named)  # type: ignore[arg-type]

    original = gpu._convolve
    with (
        patch.object(native, "takes", lambda x: False),
        patch("foveate.plugins.ops.gpu.available.takes", lambda x: True),
        patch.object(gpu, "_convolve", counted),
        patch("foveate.plugins.ops.fused.HAS_ONE_PASS", False),
    ):
        found["module, float32"] = compare_module(conv, conv)
        found["module dilated, float32"] = compare_module(dilated, dilated)
        found["module with gelu, float32"] = compare_module(conv, conv.forward_gelu)
        found["strips, float32"] = compare_module(attention, attention)
        folded, gelu = attention.folded(), FusedConv2d(conv, name_activation(torch.nn.GELU()))
        found["inference, float32"] = compare_inference(conv, dilated, attention, folded, gelu)
    # forward and input's gradient of 2 convolutions; with gelu one more for its slope; 7 convolutions of the attention
    found["calls"] = len(calls) - (2 + 2 + 3 + 14) - (1 + 1 + 7 + 7 + 1)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
