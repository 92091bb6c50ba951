"""Multi-head self-attention over positions."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

from foveate.plugins.attention.checks import check_positive
from foveate.plugins.attention.init import Init, answer_always, starts_as_identity
from foveate.plugins.init import init_weights

MAX_HEADS, HEAD_WIDTH = 8, 8


class SelfAttention(nn.Module):
    """Add to each place an average of all places, weighted by how well they match, in several heads.

    The cost grows with the square of the number of places. So a map of more than window x window places is cut into
    windows of at most that side, as even as they go, and each window looks at itself alone; what pads the last ones is
    masked. Nothing says where a place is: convolutions around the block do. So a map of 256 x 256 places and 64
    channels takes some 0.3 GB to train on, where a comparison of all with all would take 137 GB for its 8 heads.
    A file exported with open sizes stays as it was traced, whole or cut: trace it on a map as large as those to come.

    Args:
        channels: Width C of the features; the output has the same.
        heads: Number of heads; must divide C. By default the most, up to 8, that leave 8 channels or more to each.
        window: Side of the largest map that is looked at whole, and of the windows of larger ones; null never cuts.
        init: `identity` starts with the last layer at 0: nothing is added.

    Source:
        Vaswani et al. 2017, Attention Is All You Need, section 3.2 (arXiv:1706.03762): the sub-layer with its
        residual, without norm.
    """

    def __init__(
        self, channels: int, *, heads: int | None = None, window: int | None = 64, init: Init = "default"
    ) -> None:
        super().__init__()
        self.heads = _default_heads(channels) if heads is None else heads
        check_positive("self_attention: heads", self.heads)
        if channels % self.heads:
            divisors = [str(n) for n in range(1, channels + 1) if channels % n == 0]
            raise ValueError(
                f"self_attention: {self.heads} heads do not divide {channels} channels; {', '.join(divisors)} do"
            )
        if window is not None:
            check_positive("self_attention: window", window)
        self.window = window
        self.qkv = nn.Linear(channels, 3 * channels)
        self.proj = nn.Linear(channels, channels)
        self.apply(init_weights)
        if starts_as_identity(init):
            answer_always(self.proj, 0)

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B C H W"]:
        places = self.qkv(x.permute(0, 2, 3, 1))
        mixed: Tensor = self.proj(self._attend(places)).permute(0, 3, 1, 2)
        return x + mixed

    def _attend(self, places: Float[Tensor, "B H W C3"]) -> Float[Tensor, "B H W C"]:
        """Heads side by side; `places` holds query, key and value of each."""
        batch, height, width, _ = places.shape
        rows, columns = windows = self._windows(places)
        tall, wide = (height + rows - 1) // rows, (width + columns - 1) // columns
        padded = places
        if windows != (1, 1):
            padded = F.pad(places, (0, 0, 0, columns * wide - width, 0, rows * tall - height))
        cut = padded.reshape(batch, rows, tall, columns, wide, 3, self.heads, -1)
        cut = cut.permute(5, 0, 1, 3, 6, 2, 4, 7).flatten(5, 6).flatten(1, 3)
        mask = None
        if self._pads(places, padded):
            mask = _inside(places, padded, windows).repeat(batch, 1, 1, 1)
        query, key, value = cut.unbind(0)
        out = F.scaled_dot_product_attention(query, key, value, attn_mask=mask)
        out = out.reshape(batch, rows, columns, self.heads, tall, wide, -1).permute(0, 1, 4, 2, 5, 3, 6)
        return out.reshape(batch, rows * tall, columns * wide, -1)[:, :height, :width]

    def _windows(self, places: Tensor) -> torch.Size:
        """How many windows there are down and across."""
        height, width = places.shape[1:3]
        if self.window is None or height * width <= self.window**2:
            return torch.Size((1, 1))
        # of positive numbers: in ONNX the quotient of others is rounded towards zero
        return torch.Size(((height + self.window - 1) // self.window, (width + self.window - 1) // self.window))

    def _pads(self, places: Tensor, padded: Tensor) -> bool:
        """Whether some windows hold padding; a graph that is to take other sizes too has to reckon with it."""
        return padded is not places and (torch.compiler.is_exporting() or padded.shape != places.shape)

    def extra_repr(self) -> str:
        return f"heads={self.heads}, window={self.window}"


def _default_heads(channels: int) -> int:
    fitting = [n for n in range(1, MAX_HEADS + 1) if channels % n == 0 and channels // n >= HEAD_WIDTH]
    return max(fitting, default=1)


def _inside(places: Tensor, padded: Tensor, windows: torch.Size) -> Bool[Tensor, "N 1 1 P"]:
    """Which places of each window the map has: True; the others are padding."""
    rows, columns = windows
    height, width = padded.shape[1:3]
    down = torch.arange(height, device=places.device) < places.shape[1]
    across = torch.arange(width, device=places.device) < places.shape[2]
    both = (down[:, None] & across).reshape(rows, height // rows, columns, width // columns)
    return both.transpose(1, 2).reshape(rows * columns, 1, 1, -1)
