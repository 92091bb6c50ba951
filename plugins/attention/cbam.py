"""Convolutional block attention: channel attention, then spatial attention."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from foveate.plugins.attention.checks import check_odd, reduced_width
from foveate.plugins.attention.init import OPEN, Init, answer_always, starts_as_identity


class ChannelGate(nn.Module):
    """Multiply each channel by a weight from its global average and maximum.

    A shared two-layer network maps the averages and the maxima; the two outputs are added before the sigmoid.

    Args:
        channels: Number of channels C of the input and of the output.
        reduction: The hidden layer has C / reduction channels; the default is C / 16, but at least 8.
        init: `identity` starts with the gate nearly open: the input is multiplied by 0.98.
    """

    def __init__(self, channels: int, *, reduction: int | None = None, init: Init = "default") -> None:
        super().__init__()
        width = reduced_width(channels, reduction)
        last = nn.Conv2d(width, channels, 1)
        if starts_as_identity(init):
            answer_always(last, OPEN / 2)  # halved: the outputs for average and maximum are added
        self.mlp = nn.Sequential(nn.Conv2d(channels, width, 1), nn.ReLU(), last)

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B C H W"]:
        return x * self._weights(x)

    def _weights(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B C 1 1"]:
        weights: Tensor = self.mlp(x.mean((2, 3), keepdim=True)) + self.mlp(x.amax((2, 3), keepdim=True))
        return weights.sigmoid()

    def maps(self, x: Float[Tensor, "B C H W"]) -> dict[str, Tensor]:
        """The gate, for `foveate explain` (see `Explainable`)."""
        return {"channel weights": self._weights(x)}


class SpatialGate(nn.Module):
    """Multiply each position by a weight from a convolution over the maximum and the average of its channels.

    Args:
        channels: Number of channels C; not used, since no parameter depends on it.
        kernel: Side of the convolution; odd.
        init: `identity` starts with the gate nearly open: the input is multiplied by 0.98.
    """

    def __init__(self, channels: int, *, kernel: int = 7, init: Init = "default") -> None:
        super().__init__()
        del channels
        check_odd("cbam: kernel", kernel)
        self.conv = nn.Conv2d(2, 1, kernel, padding=kernel // 2, bias=False)
        self.norm = nn.BatchNorm2d(1)
        if starts_as_identity(init):
            answer_always(self.norm, OPEN)

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B C H W"]:
        return x * self._weights(x)

    def _weights(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B 1 H W"]:
        pooled = torch.cat([x.amax(1, keepdim=True), x.mean(1, keepdim=True)], dim=1)
        weights: Tensor = self.norm(self.conv(pooled))
        return weights.sigmoid()

    def maps(self, x: Float[Tensor, "B C H W"]) -> dict[str, Tensor]:
        """The gate, for `foveate explain` (see `Explainable`)."""
        return {"position weights": self._weights(x)}


class ConvBlockAttention(nn.Module):
    """CBAM: channel attention followed by spatial attention.

    Args:
        channels: Number of channels C of the input and of the output.
        reduction: The hidden layer has C / reduction channels; the default is C / 16, but at least 8.
        kernel: Side of the spatial convolution; odd.
        init: `identity` starts with both gates nearly open: the input is multiplied by 0.96.

    Source:
        Woo et al. 2018, CBAM, section 3 (arXiv:1807.06521). The batch norm after the spatial
        convolution and the order of maximum and average follow the authors' code.
    """

    def __init__(self, channels: int, *, reduction: int | None = None, kernel: int = 7, init: Init = "default") -> None:
        super().__init__()
        self.channel = ChannelGate(channels, reduction=reduction, init=init)
        self.spatial = SpatialGate(channels, kernel=kernel, init=init)

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B C H W"]:
        gated: Tensor = self.spatial(self.channel(x))
        return gated
