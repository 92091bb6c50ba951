"""Coordinate attention."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from foveate.plugins.attention.checks import reduced_width
from foveate.plugins.attention.init import OPEN, Init, answer_always, starts_as_identity


class CoordinateAttention(nn.Module):
    """Multiply each position by two sets of channel weights: those of its row and those of its column.

    The feature map is averaged along one axis at a time, so the weights keep the other coordinate.

    Args:
        channels: Number of channels C of the input and of the output.
        reduction: The hidden layer has C / reduction channels; the default is C / 32, but at least 8.
        init: `identity` starts with both gates nearly open: the input is multiplied by 0.96.

    Source:
        Hou et al. 2021, Coordinate Attention, section 3.2 (arXiv:2103.02907).
    """

    def __init__(self, channels: int, *, reduction: int | None = None, init: Init = "default") -> None:
        super().__init__()
        width = reduced_width(channels, reduction, default=32)
        self.conv1 = nn.Conv2d(channels, width, 1, bias=False)  # no bias: the norm that follows would cancel it
        self.norm = nn.BatchNorm2d(width)
        self.act = nn.Hardswish()
        self.conv_h = nn.Conv2d(width, channels, 1)
        self.conv_w = nn.Conv2d(width, channels, 1)
        if starts_as_identity(init):
            answer_always(self.conv_h, OPEN)
            answer_always(self.conv_w, OPEN)

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B C H W"]:
        by_row, by_column = self._weights(x)
        return x * by_row * by_column

    def _weights(self, x: Float[Tensor, "B C H W"]) -> tuple[Float[Tensor, "B C H 1"], Float[Tensor, "B C 1 W"]]:
        height, width = x.shape[2:]
        strips = torch.cat([x.mean(3, keepdim=True), x.mean(2, keepdim=True).transpose(2, 3)], dim=2)
        rows, columns = self.act(self.norm(self.conv1(strips))).split([height, width], dim=2)
        by_row: Tensor = self.conv_h(rows).sigmoid()
        by_column: Tensor = self.conv_w(columns.transpose(2, 3)).sigmoid()
        return by_row, by_column

    def maps(self, x: Float[Tensor, "B C H W"]) -> dict[str, Tensor]:
        """Both gates, for `foveate explain` (see `Explainable`)."""
        by_row, by_column = self._weights(x)
        return {"row weights": by_row, "column weights": by_column}
