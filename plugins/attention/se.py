"""Squeeze and excitation."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn

from foveate.plugins.attention.checks import reduced_width
from foveate.plugins.attention.init import OPEN, Init, answer_always, starts_as_identity


class SqueezeExcitation(nn.Module):
    """Weigh each channel by a number that the global averages of all channels decide.

    Args:
        channels: Width C of the features; the output has the same.
        reduction: The squeezed layer has C / reduction channels; by default a sixteenth, but at least 8.
        bias: Whether the two layers have one.
        init: `identity` starts with the gate nearly open: 0.98 of the features pass. It takes a bias to hold it so.

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
                raise ValueError("se: init 'identity' needs bias: true; without one the gate starts half open")
            answer_always(self.fc2, OPEN)

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B C H W"]:
        weights: Tensor = self.fc2(self.act(self.fc1(x.mean((2, 3), keepdim=True)))).sigmoid()
        return x * weights
