"""Adaptive average pooling and affine grids, written so that a traced graph accepts feature maps of any size.

PyTorch's own operators store the traced size in the graph as a constant.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from foveate.plugins.ops.precision import exact_dtype, without_autocast


class GridAverage(nn.Module):
    """Average the feature map over a grid of `side` x `side` parts, as adaptive average pooling does, in float32.

    Parts begin and end at whole positions. They overlap if `side` does not divide the size of the feature map, so a
    feature map smaller than the grid is repeated.

    Args:
        side: Number of rows, and of columns, of the grid.
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
    """The weight of each position along `dim` in each of `count` parts; the weights of a part add up to 1."""
    length, number = x.shape[dim], torch.arange(count, device=x.device)
    first, end = number * length // count, ((number + 1) * length + count - 1) // count
    cell = torch.arange(length, device=x.device)
    inside = (cell >= first[:, None]) & (cell < end[:, None])
    return inside.to(x.dtype) / (end - first)[:, None].to(x.dtype)


def affine_grid(theta: Float[Tensor, "B 2 3"], x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B H W 2"]:
    """Coordinates (x, y) to which the centre of each position is mapped; -1 and 1 are the edges of the feature map."""
    across, down = _centres(theta, x, 3)[None, None, :, None], _centres(theta, x, 2)[None, :, None, None]
    by_across, by_down, shift = theta[:, None, None].unbind(4)
    return across * by_across + down * by_down + shift


def _centres(theta: Tensor, x: Tensor, dim: int) -> Float[Tensor, " N"]:
    count = x.shape[dim]
    return (2 * torch.arange(count, device=theta.device, dtype=theta.dtype) + 1) / count - 1
