"""Tests of triplet attention and of its discovery by Foveate."""

from __future__ import annotations

import pytest
import torch
from foveate_triplet.block import TripletAttention
from torch import Tensor

from foveate.plugins import create_block


def weigh(x: Tensor, block: TripletAttention, branch: int) -> Tensor:
    """One branch in evaluation, for a feature map whose pooled axis is already swapped with C."""
    conv, norm = block.branches[branch].conv, block.branches[branch].norm
    pooled = torch.stack([x.max(1).values, x.sum(1) / x.shape[1]], 1)
    planes = torch.nn.functional.conv2d(pooled, conv.weight, padding=conv.padding)
    return x * torch.sigmoid((planes - norm.running_mean) / (norm.running_var + norm.eps).sqrt())


def test_it_averages_three_turned_branches() -> None:
    block, x = TripletAttention(6, kernel=3).eval(), torch.randn(2, 6, 5, 7)
    along_height = weigh(x.permute(0, 2, 1, 3), block, 0).permute(0, 2, 1, 3)
    along_width = weigh(x.permute(0, 3, 2, 1), block, 1).permute(0, 3, 2, 1)
    torch.testing.assert_close(block(x), (along_height + along_width + weigh(x, block, 2)) / 3)


@pytest.mark.parametrize("size", [(1, 1), (5, 7), (16, 1)])
def test_shape_and_dtype_stay(size: tuple[int, int]) -> None:
    x = torch.randn(2, 8, *size)
    out = TripletAttention(8)(x)
    assert (out.shape, out.dtype) == (x.shape, x.dtype)


def test_every_parameter_learns() -> None:
    block, x = TripletAttention(8), torch.randn(2, 8, 5, 7)
    (block(x) * torch.randn(x.shape)).sum().backward()
    assert all(p.grad is not None and p.grad.any() for p in block.parameters())


def test_an_even_kernel_is_refused() -> None:
    with pytest.raises(ValueError, match="odd, not 4"):
        TripletAttention(8, kernel=4)


def test_foveate_builds_it_by_name() -> None:
    assert isinstance(create_block({"name": "triplet", "kernel": 5}, channels=8), TripletAttention)
