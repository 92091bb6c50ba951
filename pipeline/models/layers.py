"""Layers that several families share."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn


class DropPath(nn.Module):
    """Stochastic depth: drop a residual branch for whole samples while training, and scale up those that stay.

    Args:
        rate: Probability in [0, 1) that a sample's branch is dropped.

    Source:
        Huang et al. 2016, Deep Networks with Stochastic Depth (arXiv:1603.09382).
    """

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, x: Float[Tensor, "B ..."]) -> Float[Tensor, "B ..."]:
        if not self.training or self.rate == 0:
            return x
        return x * self._factors(x).view(-1, *([1] * (x.ndim - 1))).to(x.dtype)

    def scale(self, x: Float[Tensor, "B ..."], scale: Float[Tensor, " C"]) -> Float[Tensor, "#B C"]:
        """Layer scale times drop path, for each channel: one row, or one row for each sample while training.

        Args:
            x: The residual branch's input, of which only the number of samples counts.
            scale: A factor for each channel.
        """
        if not self.training or self.rate == 0:
            return scale[None]
        return self._factors(x).to(scale.dtype)[:, None] * scale

    def _factors(self, x: Tensor) -> Float[Tensor, " B"]:
        keep = 1 - self.rate
        return (torch.rand(x.shape[0], dtype=torch.float32, device=x.device) < keep).float() / keep

    def extra_repr(self) -> str:
        return f"rate={self.rate:.3f}"


class ChannelLayerNorm(nn.LayerNorm):
    """Layer norm over the channels of a feature map, at each position by itself."""

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B C H W"]:
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


def linear_rates(last: float, count: int) -> list[float]:
    """Drop-path rates of `count` blocks, growing linearly from 0 at the first to `last`.

    Args:
        last: Rate of the last block.
        count: Number of blocks.

    Example:
        >>> linear_rates(0.5, 3)
        [0.0, 0.25, 0.5]
    """
    return [last * (index / max(1, count - 1)) for index in range(count)]
