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
    """Multi-head self-attention over positions, added to the input.

    The cost is quadratic in the number of positions. A feature map of more than window x window positions is therefore
    divided into windows of at most that side and of nearly equal size, and attention stays within a window; padding in
    the last windows is masked. There is no positional encoding: convolutions around the block provide position.
    Training on a feature map of 256 x 256 positions and 64 channels takes about 0.3 GB; attention over the whole map
    would take 137 GB for its 8 heads. A model exported with dynamic sizes keeps the decision made when it was traced,
    whole or in windows: trace it on a feature map as large as those it will be used on.

    Args:
        channels: Number of channels C of the input and of the output.
        heads: Number of heads; must divide C. The default is the largest, up to 8, with 8 or more channels a head.
        window: Largest side of a window, and of a square feature map that is not divided; null never divides.
        init: `identity` starts with the last layer at 0: nothing is added.

    Raises:
        ValueError: The heads do not divide the channels, or heads or window are less than 1.

    Source:
        Vaswani et al. 2017, Attention Is All You Need, section 3.2 (arXiv:1706.03762): the sub-layer with its
        residual connection, without the norm.
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
        qkv = self.qkv(x.permute(0, 2, 3, 1))
        mixed: Tensor = self.proj(self._attend(qkv)).permute(0, 3, 1, 2)
        return x + mixed

    def maps(self, x: Float[Tensor, "B C H W"]) -> dict[str, Tensor]:
        """The attention between positions, the mean over the heads, for `foveate explain` (see `Explainable`).

        There is none for a feature map that is divided into windows.
        """
        qkv = self.qkv(x.permute(0, 2, 3, 1))
        if self._windows(qkv) != (1, 1):
            return {}
        query, key, _ = qkv.flatten(1, 2).unflatten(2, (3, self.heads, -1)).permute(2, 3, 0, 1, 4)
        total = x.new_zeros(())
        for queries, keys in zip(query, key, strict=True):  # a head at a time, since N x N weights are large
            total = total + (queries * queries.shape[-1] ** -0.5 @ keys.mT).softmax(-1)
        return {"attention": (total / self.heads).unsqueeze(1)}

    def _attend(self, qkv: Float[Tensor, "B H W C3"]) -> Float[Tensor, "B H W C"]:
        """Attention of all heads; `qkv` holds query, key and value of each position."""
        batch, height, width, _ = qkv.shape
        rows, columns = windows = self._windows(qkv)
        tall, wide = (height + rows - 1) // rows, (width + columns - 1) // columns
        padded = qkv
        if windows != (1, 1):
            padded = F.pad(qkv, (0, 0, 0, columns * wide - width, 0, rows * tall - height))
        cut = padded.reshape(batch, rows, tall, columns, wide, 3, self.heads, -1)
        cut = cut.permute(5, 0, 1, 3, 6, 2, 4, 7).flatten(5, 6).flatten(1, 3)
        mask = None
        if self._pads(qkv, padded):
            mask = _inside(qkv, padded, windows).repeat(batch, 1, 1, 1)
        query, key, value = cut.unbind(0)
        out = F.scaled_dot_product_attention(query, key, value, attn_mask=mask)
        out = out.reshape(batch, rows, columns, self.heads, tall, wide, -1).permute(0, 1, 4, 2, 5, 3, 6)
        return out.reshape(batch, rows * tall, columns * wide, -1)[:, :height, :width]

    def _windows(self, qkv: Tensor) -> torch.Size:
        """Number of windows along height and width."""
        height, width = qkv.shape[1:3]
        if self.window is None or height * width <= self.window**2:
            return torch.Size((1, 1))
        # written with positive numbers only: ONNX rounds a negative quotient towards zero
        return torch.Size(((height + self.window - 1) // self.window, (width + self.window - 1) // self.window))

    def _pads(self, qkv: Tensor, padded: Tensor) -> bool:
        """Whether some windows hold padding. While exporting: True, since other sizes may need the mask."""
        return padded is not qkv and (torch.compiler.is_exporting() or padded.shape != qkv.shape)

    def extra_repr(self) -> str:
        return f"heads={self.heads}, window={self.window}"


def _default_heads(channels: int) -> int:
    fitting = [n for n in range(1, MAX_HEADS + 1) if channels % n == 0 and channels // n >= HEAD_WIDTH]
    return max(fitting, default=1)


def _inside(qkv: Tensor, padded: Tensor, windows: torch.Size) -> Bool[Tensor, "N 1 1 P"]:
    """Mask of each window: True for positions of the feature map, False for padding."""
    rows, columns = windows
    height, width = padded.shape[1:3]
    down = torch.arange(height, device=qkv.device) < qkv.shape[1]
    across = torch.arange(width, device=qkv.device) < qkv.shape[2]
    both = (down[:, None] & across).reshape(rows, height // rows, columns, width // columns)
    return both.transpose(1, 2).reshape(rows * columns, 1, 1, -1)
