"""Pooling to a grid and affine coordinates against PyTorch's."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from foveate.plugins.ops.sampling import GridAverage, affine_grid

SIZES = [(1, 1), (1, 7), (3, 5), (16, 24), (33, 65)]


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("side", [1, 4])
def test_a_grids_averages_are_those_of_adaptive_pooling(size: tuple[int, int], side: int) -> None:
    x = torch.randn(2, 3, *size, dtype=torch.float64)
    torch.testing.assert_close(GridAverage(side)(x), F.adaptive_avg_pool2d(x, side))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_averages_are_taken_in_float32(dtype: torch.dtype) -> None:
    x = torch.rand(1, 2, 40, 40).to(dtype) + 6e4 * (dtype == torch.float16)
    with torch.autocast("cpu", torch.bfloat16):
        averages = GridAverage(4)(x)
    assert averages.dtype == dtype
    assert torch.equal(averages, F.adaptive_avg_pool2d(x.float(), 4).to(dtype))


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_affine_coordinates_are_pytorchs(size: tuple[int, int]) -> None:
    theta = torch.randn(3, 2, 3, dtype=torch.float64)
    x = torch.randn(3, 1, *size)
    torch.testing.assert_close(affine_grid(theta, x), F.affine_grid(theta, list(x.shape), align_corners=False))


def test_a_traced_graph_takes_other_sizes() -> None:
    x, free = torch.randn(2, 3, 16, 24), torch.export.Dim.DYNAMIC
    exported = torch.export.export(GridAverage(4), (x,), dynamic_shapes=({2: free, 3: free},)).module()
    other = torch.randn(2, 3, 9, 31)
    torch.testing.assert_close(exported(other), F.adaptive_avg_pool2d(other, 4))
