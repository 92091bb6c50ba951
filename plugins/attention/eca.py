"""Efficient channel attention."""

from __future__ import annotations

import math

from jaxtyping import Float
from torch import Tensor, nn

from foveate.plugins.attention.checks import check_odd
from foveate.plugins.attention.init import OPEN, Init, starts_as_identity


class EfficientChannelAttention(nn.Module):
    """Multiply each channel by a weight from the global averages of neighbouring channels.

    The weights come from a 1-D convolution over the channel averages. It has only `kernel` parameters and needs no
    hidden layer.

    Args:
        channels: Number of channels C of the input and of the output.
        kernel: Length of the 1-D convolution, in channels; odd. The default follows the paper (see kernel_for).
        init: `identity` starts with the gate nearly open: the input is multiplied by 0.98. The paper's convolution has
            no bias, so a constant is added to its output.

    Source:
        Wang et al. 2020, ECA-Net, section 3.2 (arXiv:1910.03151).
    """

    def __init__(self, channels: int, *, kernel: int | None = None, init: Init = "default") -> None:
        super().__init__()
        size = kernel_for(channels) if kernel is None else kernel
        check_odd("eca: kernel", size)
        self.conv = nn.Conv1d(1, 1, size, padding=size // 2, bias=False)
        self.offset = 0.0
        if starts_as_identity(init):
            self.offset = OPEN
            nn.init.zeros_(self.conv.weight)

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B C H W"]:
        return x * self._weights(x)

    def _weights(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B C 1 1"]:
        logits: Tensor = self.conv(x.mean((2, 3)).unsqueeze(1))
        weights = (logits + self.offset if self.offset else logits).sigmoid()
        return weights.transpose(1, 2).unsqueeze(3)

    def extra_repr(self) -> str:
        return f"offset={self.offset:g}" if self.offset else ""

    def maps(self, x: Float[Tensor, "B C H W"]) -> dict[str, Tensor]:
        """The gate, for `foveate explain` (see `Explainable`)."""
        return {"channel weights": self._weights(x)}


def kernel_for(channels: int) -> int:
    """The paper's kernel length: (log2(C) + 1) / 2, made odd.

    It is at least 3 here: with a kernel of 1 a channel would not see its neighbours.

    Args:
        channels: Number of channels C.

    Example:
        >>> [kernel_for(channels) for channels in (4, 64, 128, 512)]
        [3, 3, 5, 5]
    """
    half = int((math.log2(channels) + 1) / 2)
    return max(half + 1 - half % 2, 3)
