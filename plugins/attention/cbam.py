"""Convolutional block attention: channels first, then places."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from foveate.plugins.attention.checks import check_odd, reduced_width
from foveate.plugins.attention.init import OPEN, Init, answer_always, starts_as_identity


class ChannelGate(nn.Module):
    """Weigh channels by a shared two-layer network over their average and their maximum, summed.

    Args:
        channels: Width C of the features; the output has the same.
        reduction: The squeezed layer has C / reduction channels; by default a sixteenth, but at least 8.
        init: `identity` starts with the gate nearly open: 0.98 of the features pass.
    """

    def __init__(self, channels: int, *, reduction: int | None = None, init: Init = "default") -> None:
        super().__init__()
        width = reduced_width(channels, reduction)
        last = nn.Conv2d(width, channels, 1)
        if starts_as_identity(init):
            answer_always(last, OPEN / 2)  # it answers twice: for the average and for the maximum
        self.mlp = nn.Sequential(nn.Conv2d(channels, width, 1), nn.ReLU(), last)

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B C H W"]:
        weights: Tensor = self.mlp(x.mean((2, 3), keepdim=True)) + self.mlp(x.amax((2, 3), keepdim=True))
        return x * weights.sigmoid()


class SpatialGate(nn.Module):
    """Weigh places by a convolution over the maximum and the average of their channels, in this order.

    Args:
        channels: Width C of the features; any will do.
        kernel: Side of the convolution, odd.
        init: `identity` starts with the gate nearly open: 0.98 of the features pass.
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
        pooled = torch.cat([x.amax(1, keepdim=True), x.mean(1, keepdim=True)], dim=1)
        weights: Tensor = self.norm(self.conv(pooled))
        return x * weights.sigmoid()


class ConvBlockAttention(nn.Module):
    """Weigh channels, then places.

    Args:
        channels: Width C of the features; the output has the same.
        reduction: The squeezed layer has C / reduction channels; by default a sixteenth, but at least 8.
        kernel: Side of the spatial convolution, odd.
        init: `identity` starts with both gates nearly open: 0.96 of the features pass.

    Source:
        Woo et al. 2018, CBAM, section 3 (arXiv:1807.06521). The convolution's batch norm and its order of
        maximum and average are the authors' code's.
    """

    def __init__(self, channels: int, *, reduction: int | None = None, kernel: int = 7, init: Init = "default") -> None:
        super().__init__()
        self.channel = ChannelGate(channels, reduction=reduction, init=init)
        self.spatial = SpatialGate(channels, kernel=kernel, init=init)

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B C H W"]:
        gated: Tensor = self.spatial(self.channel(x))
        return gated
