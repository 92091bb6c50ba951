"""Residual attention."""

from __future__ import annotations

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from foveate.plugins.attention.checks import check_positive, reduced_width
from foveate.plugins.attention.init import OPEN, Init, answer_always, starts_as_identity
from foveate.plugins.ops.norm import PooledBatchNorm2d


class ResidualUnit(nn.Module):
    """A pre-activation bottleneck: three convolutions, each after a batch norm and a ReLU, with a skip connection.

    Args:
        channels: Number of channels of the input and of the output.
        width: Number of channels inside.
    """

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
    """Multiply the input by 1 + M, where the mask M in (0, 1) comes from a small hourglass network.

    The mask branch downsamples the feature map `depth` times and upsamples it by interpolation, with skip connections
    between equal sizes. The trunk branch is the input itself.

    Args:
        channels: Number of channels C of the input and of the output.
        depth: How often the mask branch halves height and width; a side of 1 stays 1.
        reduction: The residual units have C / reduction channels inside; the default is C / 4, but at least 8.
        init: `identity` starts with the mask nearly 0: the input is multiplied by 1.02.

    Source:
        Wang et al. 2017, Residual Attention Network, sections 3.1 and 3.2 (arXiv:1704.06904), with one residual
        unit between two changes of resolution (r = 1).
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
        return x + x * self._weights(x)

    def _weights(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B C H W"]:
        weights: Tensor = self.mask(self._hourglass(x)).sigmoid()
        return weights

    def maps(self, x: Float[Tensor, "B C H W"]) -> dict[str, Tensor]:
        """The gate, for `foveate explain` (see `Explainable`)."""
        return {"mask": self._weights(x)}

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
