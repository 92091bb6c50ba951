"""Concurrent spatial and channel squeeze and excitation."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn

from foveate.plugins.attention.checks import reduced_width
from foveate.plugins.attention.init import Init, answer_always, starts_as_identity


class SpatialChannelExcitation(nn.Module):
    """Channel attention and spatial attention in parallel; the two gated feature maps are added.

    Channel weights come from global averages through two layers, spatial weights from a 1 x 1 convolution.

    Args:
        channels: Number of channels C of the input and of the output.
        reduction: The hidden layer has C / reduction channels; the default is C / 2, but at least 8.
        bias: Whether the layers have a bias.
        init: `identity` starts with both last layers at 0: each gate gives half the input, and the sum is the input.

    Source:
        Roy et al. 2018, Concurrent Spatial and Channel Squeeze & Excitation, section 2 (arXiv:1803.02579). C / 2 and
        the biases follow the authors' code; segmentation_models_pytorch takes C / 16.
    """

    def __init__(
        self, channels: int, *, reduction: int | None = None, bias: bool = True, init: Init = "default"
    ) -> None:
        super().__init__()
        width = reduced_width(channels, reduction, default=2)
        self.fc1 = nn.Conv2d(channels, width, 1, bias=bias)
        self.act = nn.ReLU()
        self.fc2 = nn.Conv2d(width, channels, 1, bias=bias)
        self.conv = nn.Conv2d(channels, 1, 1, bias=bias)
        if starts_as_identity(init):
            answer_always(self.fc2, 0)
            answer_always(self.conv, 0)

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B C H W"]:
        by_channel, by_position = self._weights(x)
        return x * by_channel + x * by_position

    def _weights(self, x: Float[Tensor, "B C H W"]) -> tuple[Float[Tensor, "B C 1 1"], Float[Tensor, "B 1 H W"]]:
        by_channel: Tensor = self.fc2(self.act(self.fc1(x.mean((2, 3), keepdim=True)))).sigmoid()
        by_position: Tensor = self.conv(x).sigmoid()
        return by_channel, by_position

    def maps(self, x: Float[Tensor, "B C H W"]) -> dict[str, Tensor]:
        """Both gates, for `foveate explain` (see `Explainable`)."""
        by_channel, by_position = self._weights(x)
        return {"channel weights": by_channel, "position weights": by_position}
