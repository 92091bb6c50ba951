"""Squeeze and excitation."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn

from foveate.plugins.attention.checks import reduced_width
from foveate.plugins.attention.init import OPEN, Init, answer_always, starts_as_identity


class SqueezeExcitation(nn.Module):
    """Multiply each channel by a weight that two layers compute from the global averages of all channels.

    Args:
        channels: Number of channels C of the input and of the output.
        reduction: The hidden layer has C / reduction channels; the default is C / 16, but at least 8.
        bias: Whether the two layers have a bias.
        init: `identity` starts with the gate nearly open: the input is multiplied by 0.98. It needs a bias.

    Raises:
        ValueError: `identity` was asked for without a bias.

    Source:
        Hu et al. 2018, Squeeze-and-Excitation Networks, section 3 (arXiv:1709.01507).
    """

    def __init__(
        self, channels: int, *, reduction: int | None = None, bias: bool = True, init: Init = "default"
    ) -> None:
        super().__init__()
        width = reduced_width(channels, reduction)
        self.fc1 = nn.Conv2d(channels, width, 1, bias=bias)
        self.fc2 = nn.Conv2d(width, channels, 1, bias=bias)
        self.act = nn.ReLU()
        if starts_as_identity(init):
            if not bias:
                raise ValueError("se: init 'identity' needs bias: true; without a bias the gate starts at 0.5")
            answer_always(self.fc2, OPEN)

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B C H W"]:
        return x * self._weights(x)

    def _weights(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B C 1 1"]:
        weights: Tensor = self.fc2(self.act(self.fc1(x.mean((2, 3), keepdim=True)))).sigmoid()
        return weights

    def maps(self, x: Float[Tensor, "B C H W"]) -> dict[str, Tensor]:
        """The gate, for `foveate explain` (see `Explainable`)."""
        return {"channel weights": self._weights(x)}
