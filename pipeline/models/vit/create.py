"""ViT, the Vision Transformer: self-attention between patches.

Source: Dosovitskiy et al. 2021, An Image is Worth 16x16 Words (arXiv:2010.11929); Ti and S by Touvron et al. 2021,
DeiT (arXiv:2012.12877). Parameter names of the encoder follow timm's. Published weights expect images normalised with
mean and standard deviation 0.5.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from jaxtyping import Float
from torch import Tensor, nn

from foveate.pipeline.errors import ConfigError
from foveate.pipeline.models.classifier import Classifier, PooledHead, split_slots
from foveate.pipeline.models.slots import Attention
from foveate.pipeline.models.vit.encoder import SLOTS, STAGES, Positions, VisionTransformer
from foveate.pipeline.models.vit.pyramid import FeaturePyramid
from foveate.plugins.blocks import create_slot

Pool = Literal["token", "mean"]
POOLS = ("token", "mean")
Init = Literal["normal", "xavier"]


def start_linear(transformer: nn.Module, kind: Init) -> None:
    """Initialise the linear layers of a transformer.

    Args:
        transformer: Changed in place.
        kind: `normal` leaves them as they are (truncated normal, 0.02); `xavier` draws Xavier uniform weights.

    Raises:
        ConfigError: There is no such kind.
    """
    if kind not in ("normal", "xavier"):
        raise ConfigError(f"ViT has no init {kind!r}; accepted: normal, xavier")
    for module in transformer.modules():
        if kind == "xavier" and isinstance(module, nn.Linear):
            nn.init.xavier_uniform_(module.weight)


class TokenClassifier(Classifier):
    """A classifier of the class token instead of the mean over patches."""

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
    """Build a ViT with a linear classifier.

    Its encoder has no pyramid; the other weights are those of `create_encoder`.

    Args:
        name: One of `NAMES`.
        num_classes: Number of logits.
        in_channels: Channels of the image.
        attention: Blocks for the slots `input` (before the encoder) and `stage` (after each quarter of the
            transformer's blocks, but with `token` not after the last, whose output does not reach the token).
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
