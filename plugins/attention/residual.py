"""Residual attention."""

from __future__ import annotations

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from foveate.plugins.attention.checks import check_positive, reduced_width
from foveate.plugins.attention.init import OPEN, Init, answer_always, starts_as_identity
from foveate.plugins.ops.norm import PooledBatchNorm2d


class ResidualUnit(nn.Module):
    """The input and what a bottleneck of three convolutions adds to it, each after its norm and ReLU."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            *_activate(channels, nn.Conv2d(channels, width, 1, bias=False)),
            *_activate(width, nn.Conv2d(width, width, 3, padding=1, bias=False)),
            *_activate(width, nn.Conv2d(width, channels, 1, bias=False)),
        )

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B C H W"]:
        change: Tensor = self.body(x)
        return x + change


class ResidualAttention(nn.Module):
    """Strengthen features by up to twice: (1 + M) x, where a small hourglass decides the mask M.

    The mask halves the map `depth` times and comes back up by interpolation, with sums across; the features
    themselves are the trunk.

    Args:
        channels: Width C of the features; the output has the same.
        depth: How often the mask halves the map; a side of 1 stays 1.
        reduction: The mask's residual units have C / reduction channels inside; by default a quarter, but at least 8.
        init: `identity` starts with the mask nearly 0: the features are multiplied by 1.02.

    Source:
        Wang et al. 2017, Residual Attention Network, sections 3.1 and 3.2 (arXiv:1704.06904), with one residual
        unit between two changes of scale (r = 1).
    """

    def __init__(self, channels: int, *, depth: int = 2, reduction: int | None = None, init: Init = "default") -> None:
        super().__init__()
        check_positive("residual: depth", depth)
        width = reduced_width(channels, reduction, default=4)
        self.down = nn.ModuleList(ResidualUnit(channels, width) for _ in range(depth))
        self.up = nn.ModuleList(ResidualUnit(channels, width) for _ in range(depth - 1))
        last = nn.Conv2d(channels, channels, 1)
        if starts_as_identity(init):
            answer_always(last, -OPEN)
        self.mask = nn.Sequential(
            *_activate(channels, nn.Conv2d(channels, channels, 1, bias=False)), *_activate(channels, last)
        )

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B C H W"]:
        weights: Tensor = self.mask(self._hourglass(x)).sigmoid()
        return x + x * weights

    def _hourglass(self, x: Tensor) -> Tensor:
        levels: list[Tensor] = []
        coarse = x
        for unit in self.down:
            coarse = unit(F.max_pool2d(coarse, 3, stride=2, padding=1))
            levels.append(coarse)
        for unit, finer in zip(self.up, reversed(levels[:-1]), strict=True):
            coarse = unit(finer + _resize(coarse, finer))
        return _resize(coarse, x)


def _activate(channels: int, conv: nn.Conv2d) -> tuple[nn.Module, nn.Module, nn.Module]:
    return PooledBatchNorm2d(channels), nn.ReLU(), conv


def _resize(x: Tensor, like: Tensor) -> Tensor:
    return F.interpolate(x, size=like.shape[2:], mode="bilinear", align_corners=False)
