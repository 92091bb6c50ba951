"""ViT, the Vision Transformer: self-attention between patches.

Source: Dosovitskiy et al. 2021, An Image is Worth 16x16 Words (arXiv:2010.11929); Ti and S by Touvron et al. 2021,
DeiT (arXiv:2012.12877). Parameter names of the encoder follow timm's. Published weights expect images normalised with
mean and deviation 0.5.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from foveate.pipeline.errors import ConfigError
from foveate.pipeline.models.classifier import Classifier, PooledHead, split_slots
from foveate.pipeline.models.layers import DropPath, linear_rates
from foveate.pipeline.models.positions import PatchEmbed, Size, resize_positions, to_map, wave_positions
from foveate.pipeline.models.slots import Attention, check_slots
from foveate.pipeline.models.vit_pyramid import FeaturePyramid
from foveate.plugins.blocks import create_slot
from foveate.plugins.init import init_weights

SLOTS = ("stage",)
STAGES = 4  # quarters of the blocks
SHORT = 64  # tokens
Pool = Literal["token", "mean"]
POOLS = ("token", "mean")
Positions = Literal["noise", "waves"]
Init = Literal["normal", "xavier"]


def attend(
    queries: Float[Tensor, "B H N D"], keys: Float[Tensor, "B H N D"], values: Float[Tensor, "B H N D"]
) -> Float[Tensor, "B H N D"]:
    """Scaled dot-product attention.

    On a CPU the fused kernel's backward in bfloat16 is slow for few tokens: with 17 a step takes 1.7 times as long.
    """
    learning = torch.is_grad_enabled() and not torch.compiler.is_compiling()
    if learning and queries.device.type == "cpu" and queries.dtype == torch.bfloat16 and queries.shape[2] <= SHORT:
        with sdpa_kernel(SDPBackend.MATH):
            return F.scaled_dot_product_attention(queries, keys, values)
    return F.scaled_dot_product_attention(queries, keys, values)


class SelfAttention(nn.Module):
    """Every token looks at every other, in several heads."""

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


class Mlp(nn.Module):
    """Two linear layers on each token by itself, the hidden one four times as wide."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(channels, 4 * channels)
        self.act = nn.GELU()
        self.fc2 = nn.Linear(4 * channels, channels)
        self.apply(init_weights)

    def forward(self, x: Float[Tensor, "B N D"]) -> Float[Tensor, "B N D"]:
        out: Tensor = self.fc2(self.act(self.fc1(x)))
        return out


class Block(nn.Module):
    """Attention, then MLP, each on normalised tokens and added to what came in."""

    def __init__(self, channels: int, *, heads: int, drop_path: float) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(channels, eps=1e-6)
        self.attn = SelfAttention(channels, heads)
        self.norm2 = nn.LayerNorm(channels, eps=1e-6)
        self.mlp = Mlp(channels)
        self.drop_path = DropPath(drop_path)

    def forward(self, x: Float[Tensor, "B N D"]) -> Float[Tensor, "B N D"]:
        x = x + self.drop_path(self.attn(self.norm1(x)))
        out: Tensor = x + self.drop_path(self.mlp(self.norm2(x)))
        return out


class VisionTransformer(nn.Module):
    """Features of an image, all from the last map of patches.

    Images may have any size: positions are resampled for it (see `resize_positions`), and sides that are no multiple
    of the patch are padded with zeros at the bottom and on the right.

    Linear layers, class token and positions start as timm's (truncated normal 0.02, the token at almost 0), and so
    does the patches' convolution (PyTorch's own).

    Args:
        channels: Width D of the tokens.
        depth: Number of blocks.
        heads: Heads of the attention; a divisor of `channels`.
        patch_size: Side of a patch in pixels.
        image_size: Height and width for which positions are learned.
        positions: What learned positions start from: noise, or waves, which learns faster from little.
        drop_path: Rate for the last block; it grows linearly from 0 at the first.
        pyramid: Makes features of several strides of the map of patches; without it that is the only one.
        attention: Blocks for the slot `stage`: after each quarter of the transformer's blocks, on the map of patches
            without the class token.
        stages: Quarters after which they sit. A block after the last cannot reach the class token, so a classifier
            that reads that alone has 3.
        in_channels: Channels of the image.
    """

    def __init__(
        self,
        *,
        channels: int,
        depth: int,
        heads: int,
        patch_size: int = 16,
        image_size: Size = (224, 224),
        positions: Positions = "noise",
        drop_path: float = 0.0,
        pyramid: FeaturePyramid | None = None,
        attention: Attention | None = None,
        stages: int = STAGES,
        in_channels: int = 3,
    ) -> None:
        super().__init__()
        slots = check_slots(attention, SLOTS, "ViT")
        self.grid = (-(-image_size[0] // patch_size), -(-image_size[1] // patch_size))
        self.patch_embed = PatchEmbed(in_channels, channels, patch_size)
        self.cls_token = nn.Parameter(nn.init.normal_(torch.empty(1, 1, channels), std=1e-6))
        self.pos_embed = nn.Parameter(start_positions(self.grid, channels, positions))
        rates = linear_rates(drop_path, depth)
        self.blocks = nn.ModuleList(Block(channels, heads=heads, drop_path=rate) for rate in rates)
        self.norm = nn.LayerNorm(channels, eps=1e-6)
        self.ends = {depth * stage // STAGES: f"attention{stage}" for stage in range(1, stages + 1)}
        for name in self.ends.values():
            self.add_module(name, create_slot(slots.get("stage"), channels))
        self.pyramid = pyramid
        self.strides = pyramid.strides if pyramid else (patch_size,)
        self.channels = pyramid.channels if pyramid else (channels,)

    def tokens(self, image: Float[Tensor, "B I H W"]) -> tuple[Float[Tensor, "B D"], Float[Tensor, "B D h w"]]:
        """The class token and the map of patches, after the last norm."""
        patches = self.patch_embed(image)
        size = (patches.shape[2], patches.shape[3])
        x = torch.cat([self.cls_token.expand(patches.shape[0], -1, -1), patches.flatten(2).mT], dim=1)
        x = x + resize_positions(self.pos_embed, self.grid, size)
        for number, block in enumerate(self.blocks, start=1):
            x = block(x)
            if number in self.ends:
                x = self._attend(self.ends[number], x, size)
        x = self.norm(x)
        return x[:, 0], to_map(x, size)

    def forward(self, image: Float[Tensor, "B I H W"]) -> tuple[Tensor, ...]:
        _, patches = self.tokens(image)
        return self.pyramid(patches, (image.shape[2], image.shape[3])) if self.pyramid else (patches,)

    def _attend(self, name: str, x: Float[Tensor, "B N D"], size: Size) -> Float[Tensor, "B N D"]:
        """The stage's block on the map of patches."""
        block = self.get_submodule(name)
        if isinstance(block, nn.Identity):
            return x
        return torch.cat([x[:, :1], block(to_map(x, size)).flatten(2).mT], dim=1)


def start_positions(grid: Size, channels: int, kind: Positions) -> Float[Tensor, "1 N D"]:
    """Positions of the class token and of each patch, before learning.

    Raises:
        ConfigError: There is no such kind.
    """
    if kind == "waves":
        return wave_positions(grid, channels)
    if kind == "noise":
        return nn.init.trunc_normal_(torch.empty(1, 1 + grid[0] * grid[1], channels), std=0.02)
    raise ConfigError(f"ViT has no positions {kind!r}; accepted: noise, waves")


def start_linear(transformer: nn.Module, kind: Init) -> None:
    """Give the linear layers of a transformer other values to start from.

    Raises:
        ConfigError: There is no such kind.
    """
    if kind not in ("normal", "xavier"):
        raise ConfigError(f"ViT has no init {kind!r}; accepted: normal, xavier")
    for module in transformer.modules():
        if kind == "xavier" and isinstance(module, nn.Linear):
            nn.init.xavier_uniform_(module.weight)


class TokenClassifier(Classifier):
    """Reads the class token instead of the mean over patches."""

    encoder: VisionTransformer
    head: PooledHead

    def forward(self, image: Float[Tensor, "B I H W"]) -> Float[Tensor, "B K"]:
        token, _ = self.encoder.tokens(self.input(image))
        return self.head.classify(token)


@dataclass(frozen=True, kw_only=True)
class Variant:
    """The sizes of a ViT (arXiv:2010.11929, table 1; arXiv:2012.12877, table 1)."""

    channels: int
    depth: int
    heads: int


VARIANTS = {
    "vit_ti": Variant(channels=192, depth=12, heads=3),
    "vit_s": Variant(channels=384, depth=12, heads=6),
    "vit_b": Variant(channels=768, depth=12, heads=12),
    "vit_l": Variant(channels=1024, depth=24, heads=16),
}
NAMES = tuple(VARIANTS)


def create_encoder(
    name: str,
    *,
    in_channels: int = 3,
    attention: Attention | None = None,
    patch_size: int = 16,
    image_size: int | Sequence[int] = 224,
    drop_path: float = 0.0,
    strides: Sequence[int] | None = None,
) -> VisionTransformer:
    """Build a ViT with a feature pyramid, by the name of its variant.

    Args:
        name: One of `NAMES`.
        in_channels: Channels of the image.
        attention: Blocks for the slot `stage`, after each quarter of the transformer's blocks.
        patch_size: Side of a patch in pixels.
        image_size: Side, or height and width, for which positions are learned; images may have any.
        drop_path: Rate for the last block; it grows linearly from 0 at the first.
        strides: Of the features, such as [8, 16, 32] for a decoder that leaves the finest unread (weights that get no
            gradient stop training on several devices); a quarter, half, once and twice the patch if not given.

    Raises:
        ConfigError: A size is less than 1, or there is no such stride.
    """
    pyramid = FeaturePyramid(VARIANTS[name].channels, patch_size, strides)
    shared = {"in_channels": in_channels, "attention": attention, "drop_path": drop_path}
    return _create_transformer(name, patch_size, image_size, pyramid=pyramid, **shared)


def create_classifier(
    name: str,
    *,
    num_classes: int,
    in_channels: int = 3,
    attention: Attention | None = None,
    patch_size: int = 16,
    image_size: int | Sequence[int] = 224,
    drop_path: float = 0.0,
    dropout: float = 0.0,
    pool: Pool = "token",
    positions: Positions = "noise",
    init: Init = "normal",
) -> Classifier:
    """Build a ViT under a linear layer. Its encoder has no pyramid; the other weights are those of `create_encoder`.

    Args:
        name: One of `NAMES`.
        num_classes: Number of logits.
        in_channels: Channels of the image.
        attention: Blocks for the slots `input` (before the encoder) and `stage` (after each quarter of the
            transformer's blocks, but with `token` not after the last, from where nothing reaches the token).
        patch_size: See create_encoder.
        image_size: See create_encoder.
        drop_path: See create_encoder.
        dropout: Rate before the linear layer.
        pool: What the linear layer reads: the class token, or the mean over patches.
        positions: What learned positions start from: `noise` as published, or `waves` (sines and cosines), which
            learn faster from few images (arXiv:2205.01580).
        init: What linear layers of the transformer start from: `normal` (0.02, as timm), or `xavier` (uniform, as the
            authors' code), which learns faster where there are few steps.

    Raises:
        ConfigError: A size is less than 1, or `pool`, `positions` or `init` is something else.
    """
    if pool not in POOLS:
        raise ConfigError(f"{name} has no pool {pool!r}; accepted: {', '.join(POOLS)}")
    before, inside = split_slots(attention, SLOTS, name)
    shared = {"in_channels": in_channels, "attention": inside, "drop_path": drop_path, "positions": positions}
    stages = STAGES - 1 if pool == "token" else STAGES
    encoder = _create_transformer(name, patch_size, image_size, stages=stages, **shared)
    start_linear(encoder, init)
    kind = TokenClassifier if pool == "token" else Classifier
    head = PooledHead(encoder.channels[-1], num_classes, dropout=dropout)
    return kind(encoder, head, input=create_slot(before, in_channels))


def _create_transformer(
    name: str, patch_size: int, image_size: int | Sequence[int], **options: Any
) -> VisionTransformer:
    variant = VARIANTS[name]
    sides = [image_size, image_size] if isinstance(image_size, int) else list(image_size)
    if len(sides) != 2 or min(*sides, patch_size) < 1:
        raise ConfigError(
            f"{name}: image_size is a side, or a height and a width, and patch_size a side, all at least 1; "
            f"not {image_size} and {patch_size}"
        )
    return VisionTransformer(
        channels=variant.channels,
        depth=variant.depth,
        heads=variant.heads,
        patch_size=patch_size,
        image_size=(sides[0], sides[1]),
        **options,
    )
