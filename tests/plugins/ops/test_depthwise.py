"""The fast weight gradient against the stock one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn

from foveate.plugins.ops.depthwise import DepthwiseConv2d

KERNELS = [((5, 5), 1), ((1, 7), 1), ((1, 21), 1), ((21, 1), 1), ((7, 7), 3)]
FAST = [case for case in KERNELS if case[0][1] > 3]  # a column kernel is fast as it is
SIZES = [(13, 17), (1, 1), (3, 40), (32, 24)]
FORMATS = [torch.contiguous_format, torch.channels_last]
CHANNELS = 5


def twins(
    kernel: tuple[int, int], dilation: int, dtype: torch.dtype = torch.float64
) -> tuple[DepthwiseConv2d, nn.Conv2d]:
    """Ours and a stock convolution with the same parameters."""
    ours = DepthwiseConv2d(CHANNELS, kernel, dilation=dilation)
    stock = nn.Conv2d(CHANNELS, CHANNELS, kernel, padding=ours.padding, dilation=dilation, groups=CHANNELS)  # type: ignore[arg-type]
    stock.load_state_dict(ours.state_dict())
    return ours.to(dtype), stock.to(dtype)


def gradients(conv: nn.Conv2d, x: Tensor) -> Iterator[tuple[str, Tensor]]:
    """Output and gradients of input and parameters, for a loss that weighs each cell differently."""
    x = x.detach().requires_grad_()
    out = conv(x)
    weights = torch.randn(out.shape, generator=torch.Generator().manual_seed(3), dtype=torch.float64).to(x.dtype)
    (out * weights).sum().backward()
    yield "out", out
    for name, tensor in [("input", x), *conv.named_parameters()]:
        assert tensor.grad is not None
        yield name, tensor.grad


@pytest.mark.parametrize("layout", FORMATS, ids=str)
@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize(("kernel", "dilation"), KERNELS, ids=str)
def test_gradients_equal_the_stock_ones(
    kernel: tuple[int, int], dilation: int, size: tuple[int, int], layout: torch.memory_format
) -> None:
    ours, stock = twins(kernel, dilation)
    x = torch.randn(2, CHANNELS, *size, dtype=torch.float64).to(memory_format=layout)
    for (name, got), (_, wanted) in zip(gradients(ours, x), gradients(stock, x), strict=True):
        torch.testing.assert_close(got, wanted, msg=f"of {name}")


@pytest.mark.parametrize(("kernel", "dilation"), KERNELS, ids=str)
def test_gradients_in_bfloat16_are_as_close_as_the_stock_ones(kernel: tuple[int, int], dilation: int) -> None:
    ours, stock = twins(kernel, dilation, torch.bfloat16)
    x = torch.randn(2, CHANNELS, 16, 24).bfloat16()
    for (name, got), (_, wanted) in zip(gradients(ours, x), gradients(stock, x), strict=True):
        limit = 0.02 * wanted.abs().max().item()
        torch.testing.assert_close(got, wanted, atol=limit, rtol=0.02, msg=f"of {name}")


@pytest.mark.parametrize(("kernel", "dilation"), FAST, ids=str)
def test_gradients_equal_finite_differences(kernel: tuple[int, int], dilation: int) -> None:
    conv = DepthwiseConv2d(1, kernel, dilation=dilation).double()
    x = torch.randn(1, 1, 4, 5, dtype=torch.float64, requires_grad=True)

    def apply(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        parameters = {"weight": weight, "bias": bias}
        out: Tensor = torch.func.functional_call(conv, parameters, (x,))
        return out

    assert conv.bias is not None
    assert torch.autograd.gradcheck(apply, (x, conv.weight, conv.bias))


@pytest.mark.parametrize(("kernel", "dilation"), FAST, ids=str)
def test_wide_kernels_take_the_fast_way(kernel: tuple[int, int], dilation: int) -> None:
    out = DepthwiseConv2d(CHANNELS, kernel, dilation=dilation)(torch.randn(1, CHANNELS, 9, 9))
    assert type(out.grad_fn).__name__ == "_FastGradientBackward"


def test_while_compiling_the_plain_operator_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.compiler, "is_compiling", lambda: True)
    out = DepthwiseConv2d(CHANNELS, (1, 7))(torch.randn(1, CHANNELS, 9, 9))
    assert type(out.grad_fn).__name__ == "ConvolutionBackward0"


@pytest.mark.parametrize("frozen", ["weight", "input"])
def test_what_needs_no_gradient_gets_none(frozen: str) -> None:
    conv = DepthwiseConv2d(CHANNELS, (1, 7))
    conv.weight.requires_grad_(frozen != "weight")
    x = torch.randn(1, CHANNELS, 5, 9, requires_grad=frozen != "input")
    conv(x).sum().backward()
    assert (x.grad is None) == (frozen == "input")
    assert (conv.weight.grad is None) == (frozen == "weight")


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_autocast_gives_the_stock_dtypes(dtype: torch.dtype) -> None:
    ours, stock = twins((1, 7), 1, torch.float32)
    x = torch.randn(2, CHANNELS, 8, 9, dtype=dtype)
    with torch.autocast("cpu", torch.bfloat16):
        got, wanted = ours(x), stock(x)
    got.float().sum().backward()
    assert (got.dtype, ours.weight.grad.dtype) == (wanted.dtype, torch.float32)  # type: ignore[union-attr]
    torch.testing.assert_close(got, wanted)


def test_a_traced_graph_holds_the_plain_operator() -> None:
    conv = DepthwiseConv2d(CHANNELS, (1, 21))
    x = torch.randn(1, CHANNELS, 9, 9)
    program = torch.export.export(conv, (x,))
    called = [str(node.target) for node in program.graph.nodes if node.op == "call_function"]
    assert called == ["aten.conv2d.default"]
    torch.testing.assert_close(program.module()(x), conv(x))


@pytest.mark.parametrize("kernel", [4, 0, (1, 6), (2, 3)])
def test_kernels_that_would_change_the_size_are_refused(kernel: int | tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="has odd sides"):
        DepthwiseConv2d(CHANNELS, kernel)


@pytest.mark.parametrize("layout", FORMATS, ids=str)
@pytest.mark.parametrize("size", [(13, 17), (1, 1), (40, 70), (8, 2)], ids=str)
@pytest.mark.parametrize(("kernel", "dilation"), [(3, 1), (3, 2), (5, 1)])
@pytest.mark.parametrize("stride", [1, 2, 3])
def test_gradients_of_strides_and_dilations_equal_the_stock_ones(
    stride: int, kernel: int, dilation: int, size: tuple[int, int], layout: torch.memory_format
) -> None:
    ours = DepthwiseConv2d(24, kernel, stride=stride, dilation=dilation)
    stock = nn.Conv2d(24, 24, kernel, stride, ours.padding, dilation, groups=24)  # type: ignore[arg-type]
    stock.load_state_dict(ours.state_dict())
    x = torch.randn(2, 24, *size).to(memory_format=layout)
    for (name, got), (_, wanted) in zip(gradients(ours, x), gradients(stock, x), strict=True):
        torch.testing.assert_close(got, wanted, rtol=1e-4, atol=1e-4, msg=f"of {name}")


@pytest.mark.parametrize("gelu", [False, True])
def test_a_map_of_other_channels_is_refused(gelu: bool) -> None:
    conv = DepthwiseConv2d(32, 3)
    x = torch.randn(1, 16, 8, 8).contiguous(memory_format=torch.channels_last)
    with pytest.raises(RuntimeError, match="channels"):
        conv.forward_gelu(x) if gelu else conv(x)


@pytest.mark.parametrize("kernel", [3, (1, 21)], ids=str)
def test_autocast_keeps_float32_weights(kernel: int | tuple[int, int]) -> None:
    conv = DepthwiseConv2d(16, kernel)
    x = torch.randn(2, 16, 9, 30).contiguous(memory_format=torch.channels_last)
    with torch.autocast("cpu", torch.bfloat16):
        out = conv(x)
    assert out.dtype == torch.bfloat16
    out.float().square().sum().backward()
    stock = nn.Conv2d(16, 16, kernel, padding=conv.padding, groups=16)  # type: ignore[arg-type]
    stock.load_state_dict(conv.state_dict())
    stock(x).square().sum().backward()
    for got, wanted in zip(conv.parameters(), stock.parameters(), strict=True):
        assert got.grad is not None
        assert wanted.grad is not None
        assert got.grad.dtype == torch.float32
        assert (got.grad - wanted.grad).norm() < 0.01 * wanted.grad.norm()


def test_dtypes_that_disagree_are_refused_as_ever() -> None:
    conv, x = DepthwiseConv2d(16, (1, 21)), torch.randn(1, 16, 9, 30).bfloat16()
    for apply in (conv, conv.forward_gelu):
        with pytest.raises(RuntimeError, match="type"):
            apply(x.contiguous(memory_format=torch.channels_last))
