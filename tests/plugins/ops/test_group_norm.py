"""The way back of our group norm against the stock one's."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from foveate.plugins.ops.group_norm import GroupNorm

SIZES = [(1, 1), (3, 5), (17, 40)]


def outcome(norm: nn.GroupNorm, x: Tensor, upstream: Tensor) -> list[Tensor]:
    x = x.detach().requires_grad_()
    out = norm(x)
    return [out, *torch.autograd.grad(out, [x, norm.weight, norm.bias], upstream.to(out.dtype))]


def norms(groups: int, channels: int) -> tuple[GroupNorm, nn.GroupNorm]:
    ours, stock = GroupNorm(groups, channels), nn.GroupNorm(groups, channels)
    nn.init.normal_(ours.weight)
    stock.load_state_dict(ours.state_dict())
    return ours, stock


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last], ids=str)
@pytest.mark.parametrize(("groups", "channels"), [(32, 256), (3, 24), (1, 8), (5, 10)])
def test_gradients_equal_the_stock_ones(
    groups: int, channels: int, memory_format: torch.memory_format, size: tuple[int, int]
) -> None:
    ours, stock = norms(groups, channels)
    x = (torch.randn(2, channels, *size) * 3 + 1).contiguous(memory_format=memory_format)
    upstream = torch.randn(2, channels, *size)
    for one, wanted in zip(outcome(ours, x, upstream), outcome(stock.double(), x.double(), upstream), strict=True):
        torch.testing.assert_close(one.double(), wanted, rtol=1e-4, atol=2e-4)


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_gradients_in_bfloat16_are_as_close_as_the_stock_ones(size: tuple[int, int]) -> None:
    ours, stock = norms(32, 256)
    x = torch.randn(2, 256, *size).bfloat16().contiguous(memory_format=torch.channels_last)
    upstream = torch.randn(2, 256, *size).bfloat16()
    got, plain = outcome(ours, x, upstream), outcome(stock, x, upstream)
    for one, other, wanted in zip(got, plain, outcome(stock.double(), x.double(), upstream), strict=True):
        assert one.dtype == other.dtype
        assert (one - wanted).norm() <= 1.1 * (other - wanted).norm() + 1e-4 * wanted.norm()


def test_nothing_changes_where_nothing_is_learned() -> None:
    ours, stock = norms(4, 16)
    x = torch.randn(1, 16, 4, 4).contiguous(memory_format=torch.channels_last)
    with torch.no_grad():
        assert torch.equal(ours(x), stock(x))
