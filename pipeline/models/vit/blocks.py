"""The block of a ViT: self-attention between tokens, and an MLP on each."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from foveate.pipeline.models.layers import DropPath
from foveate.plugins.init import init_weights
from foveate.plugins.ops.eager import is_eager_on_cpu
from foveate.plugins.ops.gelu import GELU

SHORT = 640  # tokens up to which plain operators train faster on a CPU
MOST = 1 << 25  # scores that they may keep for a layer's backward pass


def attend(
    queries: Float[Tensor, "B H N D"], keys: Float[Tensor, "B H N D"], values: Float[Tensor, "B H N D"]
) -> Float[Tensor, "B H N D"]:
    """Scaled dot-product attention.

    On a CPU the fused kernel's backward pass in bfloat16 is slow: forward and backward by plain operators take half
    its time with 197 tokens, and a sixth with 17.

    Args:
        queries: For each of H heads.
        keys: For each of H heads.
        values: For each of H heads.
    """
    if _is_plain_faster(queries):
        scores = (queries * queries.shape[3] ** -0.5) @ keys.mT
        out: Tensor = scores.softmax(-1) @ values
        return out
    return F.scaled_dot_product_attention(queries, keys, values)


def _is_plain_faster(queries: Float[Tensor, "B H N D"]) -> bool:
    batch, heads, tokens, _ = queries.shape
    learns = torch.is_grad_enabled() and queries.dtype == torch.bfloat16 and is_eager_on_cpu(queries)
    return learns and tokens <= SHORT and batch * heads * tokens**2 <= MOST


class SelfAttention(nn.Module):
    """Multi-head self-attention between tokens.

    Args:
        channels: Width D of the tokens.
        heads: A divisor of `channels`.
    """

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(channels, 3 * channels)
        self.proj = nn.Linear(channels, channels)
        self.apply(init_weights)

    def forward(self, x: Float[Tensor, "B N D"]) -> Float[Tensor, "B N D"]:
        queries, keys, values = self.qkv(x).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        seen = attend(queries, keys, values)
        out: Tensor = self.proj(seen.transpose(1, 2).flatten(2))
        return out

    def maps(self, x: Float[Tensor, "B N D"]) -> dict[str, Tensor]:
        """The attention between tokens, for `foveate explain` (see `Explainable`)."""
        queries, keys, _ = self.qkv(x).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        return {"attention": (queries * queries.shape[3] ** -0.5 @ keys.mT).softmax(-1)}


class Mlp(nn.Module):
    """Two linear layers on each token by itself, the hidden one four times as wide.

    Args:
        channels: Width D of the tokens.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(channels, 4 * channels)
        self.act = GELU()
        self.fc2 = nn.Linear(4 * channels, channels)
        self.apply(init_weights)

    def forward(self, x: Float[Tensor, "B N D"]) -> Float[Tensor, "B N D"]:
        out: Tensor = self.fc2(self.act(self.fc1(x)))
        return out


class Block(nn.Module):
    """A residual block: attention, then MLP, each after a layer norm.

    Args:
        channels: Width D of the tokens.
        heads: Heads of the attention.
        drop_path: Rate at which a residual branch is dropped.
    """

    def __init__(self, channels: int, *, heads: int, drop_path: float) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(channels, eps=1e-6)
        self.attn = SelfAttention(channels, heads)
        self.norm2 = nn.LayerNorm(channels, eps=1e-6)
        self.mlp = Mlp(channels)
        self.drop_path = DropPath(drop_path)

    def forward(self, x: Float[Tensor, "B N D"]) -> Float[Tensor, "B N D"]:
        # x + dp(attn(LN(x))), then x + dp(MLP(LN(x))); dp is drop path
        x = x + self.drop_path(self.attn(self.norm1(x)))
        out: Tensor = x + self.drop_path(self.mlp(self.norm2(x)))
        return out
