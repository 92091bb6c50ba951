"""Pooling to a grid and affine coordinates, written so that a traced graph takes maps of any size.

PyTorch's own put the size that was traced into the graph as a constant.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from foveate.plugins.ops.precision import exact_dtype, without_autocast


class GridAverage(nn.Module):
    """Average the map over a grid of `side` x `side` parts, as adaptive average pooling does; float32 inside.

    Parts begin and end at whole cells and overlap where the side does not divide the map, so a map smaller than the
    grid is repeated.

    Args:
        side: Parts down, and across.
    """

    def __init__(self, side: int) -> None:
        super().__init__()
        self.side = side

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B C S S"]:
        with without_autocast(x.device):
            exact = x.to(exact_dtype(x.dtype))
            averages: Tensor = _parts(exact, 2, self.side) @ exact @ _parts(exact, 3, self.side).mT
        return averages.to(x.dtype)

    def extra_repr(self) -> str:
        return f"side={self.side}"


def _parts(x: Tensor, dim: int, count: int) -> Float[Tensor, "S L"]:
    """The share of each cell along `dim` in each of `count` parts; the shares of a part add up to 1."""
    length, number = x.shape[dim], torch.arange(count, device=x.device)
    first, end = number * length // count, ((number + 1) * length + count - 1) // count
    cell = torch.arange(length, device=x.device)
    inside = (cell >= first[:, None]) & (cell < end[:, None])
    return inside.to(x.dtype) / (end - first)[:, None].to(x.dtype)


def affine_grid(theta: Float[Tensor, "B 2 3"], x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B H W 2"]:
    """Where each cell's centre goes, as (across, down); -1 and 1 are the map's outer edges."""
    across, down = _centres(theta, x, 3)[None, None, :, None], _centres(theta, x, 2)[None, :, None, None]
    by_across, by_down, shift = theta[:, None, None].unbind(4)
    return across * by_across + down * by_down + shift


def _centres(theta: Tensor, x: Tensor, dim: int) -> Float[Tensor, " N"]:
    count = x.shape[dim]
    return (2 * torch.arange(count, device=theta.device, dtype=theta.dtype) + 1) / count - 1
