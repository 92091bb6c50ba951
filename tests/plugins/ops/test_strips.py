"""Strips that add to what is there, against convolutions and sums."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor

from foveate.plugins.attention.msca import MultiScaleConvAttention
from foveate.plugins.ops.depthwise import DepthwiseConv2d
from foveate.plugins.ops.native.compiled import kernels
from foveate.plugins.ops.strips import add_strips

needs_kernels = pytest.mark.skipif(kernels() is None, reason="needs a C++ compiler")


def draw(channels: int, lengths: tuple[int, ...]) -> list[tuple[DepthwiseConv2d, DepthwiseConv2d]]:
    torch.manual_seed(0)
    return [(DepthwiseConv2d(channels, (1, n)), DepthwiseConv2d(channels, (n, 1))) for n in lengths]


def plain(x: Tensor, pairs: Sequence[tuple[DepthwiseConv2d, DepthwiseConv2d]]) -> Tensor:
    total = x
    for across, down in pairs:
        seen = across._conv_forward(x, across.weight, across.bias)
        total = total + down._conv_forward(seen, down.weight, down.bias)
    return total


def gradients(out: Tensor, x: Tensor, pairs: Sequence[tuple[DepthwiseConv2d, DepthwiseConv2d]]) -> list[Tensor]:
    """The output, and gradients for a loss that weighs each cell differently."""
    weights = torch.randn(out.shape, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    parameters = [one for pair in pairs for conv in pair for one in conv.parameters()]
    return [out, *torch.autograd.grad((out * weights).sum(), [x, *parameters])]


@needs_kernels
@pytest.mark.parametrize("size", [(9, 11), (1, 1), (3, 70), (50, 24)], ids=str)
@pytest.mark.parametrize("lengths", [(7, 11, 21), (3,)], ids=str)
def test_outputs_and_gradients_are_those_of_float64(lengths: tuple[int, ...], size: tuple[int, int]) -> None:
    pairs = draw(40, lengths)
    x = torch.randn(2, 40, *size).contiguous(memory_format=torch.channels_last).requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        out = add_strips(x, pairs)
    assert type(out.grad_fn).__name__ == "_SumBackward"
    got = gradients(out, x, pairs)
    exact = [(across.double(), down.double()) for across, down in pairs]
    twin = x.detach().double().requires_grad_()
    for one, two in zip(got, gradients(plain(twin, exact), twin, exact), strict=True):
        assert (one.double() - two).abs().max() <= 0.02 * two.abs().max()


def test_other_dtypes_and_layouts_go_by_the_plain_way() -> None:
    pairs = [(across.double(), down.double()) for across, down in draw(8, (7, 21))]
    x = torch.randn(1, 8, 13, 10, dtype=torch.float64, requires_grad=True)
    torch.testing.assert_close(add_strips(x, pairs), plain(x, pairs))


@needs_kernels
def test_a_map_without_pairs_is_itself() -> None:
    x = torch.randn(1, 8, 5, 5)
    assert add_strips(x, []) is x


@needs_kernels
def test_the_gate_takes_the_fast_way() -> None:
    gate = MultiScaleConvAttention(16)
    x = torch.randn(2, 16, 9, 9).contiguous(memory_format=torch.channels_last).requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        fast = gate(x)
        names = set()
        todo = [fast.grad_fn]
        while todo:
            node = todo.pop()
            if node is not None:
                names.add(type(node).__name__)
                todo += [other for other, _ in node.next_functions]
    assert "_SumBackward" in names


def hook(conv: DepthwiseConv2d) -> DepthwiseConv2d:
    conv.register_forward_hook(lambda module, given, out: 2 * out)
    return conv


def dilate(conv: DepthwiseConv2d) -> DepthwiseConv2d:
    wide = DepthwiseConv2d(16, (1, 7), dilation=2)
    wide.load_state_dict(conv.state_dict())
    return wide


@pytest.mark.parametrize(
    "change", [hook, dilate, lambda conv: torch.nn.Sequential(conv)], ids=["hook", "dilate", "other"]
)
def test_what_is_put_in_place_of_a_convolution_is_called(change: Callable[[DepthwiseConv2d], Any]) -> None:
    gate = MultiScaleConvAttention(16)
    across = gate.get_submodule("conv0_1")
    assert isinstance(across, DepthwiseConv2d)
    gate.conv0_1 = change(across)
    x = torch.randn(1, 16, 9, 12).contiguous(memory_format=torch.channels_last).requires_grad_()
    with torch.no_grad():
        wanted = gate(x)
    with torch.autocast("cpu", torch.bfloat16):
        got = gate(x)
    assert (got - wanted).norm() < 0.02 * wanted.norm()
