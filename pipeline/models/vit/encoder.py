"""The encoder of a ViT: transformer blocks on the tokens of patches, and features from the last of them.

Parameter names follow timm's.
"""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from foveate.pipeline.errors import ConfigError
from foveate.pipeline.models.checkpointing import run_block
from foveate.pipeline.models.layers import linear_rates
from foveate.pipeline.models.slots import Attention, check_slots, slot_at
from foveate.pipeline.models.vit.blocks import Block
from foveate.pipeline.models.vit.positions import PatchEmbed, Size, resize_positions, to_map, wave_positions
from foveate.pipeline.models.vit.pyramid import FeaturePyramid
from foveate.plugins.blocks import create_slot

SLOTS = ("stage",)
STAGES = 4  # quarters of the blocks
Positions = Literal["noise", "waves"]


def start_positions(grid: Size, channels: int, kind: Positions) -> Float[Tensor, "1 N D"]:
    """Initial position embeddings of the class token and of each patch.

    Args:
        grid: Rows and columns of patches.
        channels: Width D of the tokens.
        kind: `noise` (normal, standard deviation 0.02) or `waves` (see `wave_positions`).

    Raises:
        ConfigError: There is no such kind.
    """
    if kind == "waves":
        return wave_positions(grid, channels)
    if kind == "noise":
        return nn.init.trunc_normal_(torch.empty(1, 1 + grid[0] * grid[1], channels), std=0.02)
    raise ConfigError(f"ViT has no positions {kind!r}; accepted: noise, waves")


class VisionTransformer(nn.Module):
    """Features of an image, all made from the last block's feature map of patches.

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
        pyramid: Makes features at several strides from the feature map of patches, which is the only one without it.
        attention: Blocks for the slot `stage`: after each quarter of the transformer's blocks, on the feature map of
            patches, without the class token.
        stages: Quarters after which they sit. A block after the last cannot reach the class token, so a classifier
            that reads that alone has 3.
        in_channels: Channels of the image.
    """

    checkpointing = False  # whether blocks are recomputed in the backward pass

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
        slots = check_slots(attention, SLOTS, "ViT", stages=stages)
        self.grid = (-(-image_size[0] // patch_size), -(-image_size[1] // patch_size))
        self.patch_embed = PatchEmbed(in_channels, channels, patch_size)
        self.cls_token = nn.Parameter(nn.init.normal_(torch.empty(1, 1, channels), std=1e-6))
        self.pos_embed = nn.Parameter(start_positions(self.grid, channels, positions))
        rates = linear_rates(drop_path, depth)
        self.blocks = nn.ModuleList(Block(channels, heads=heads, drop_path=rate) for rate in rates)
        self.norm = nn.LayerNorm(channels, eps=1e-6)
        self.ends = {depth * stage // STAGES: f"attention{stage}" for stage in range(1, stages + 1)}
        for stage, name in enumerate(self.ends.values(), start=1):
            self.add_module(name, create_slot(slot_at(slots, "stage", stage), channels))
        self.pyramid = pyramid
        self.strides = pyramid.strides if pyramid else (patch_size,)
        self.channels = pyramid.channels if pyramid else (channels,)

    def tokens(self, image: Float[Tensor, "B I H W"]) -> tuple[Float[Tensor, "B D"], Float[Tensor, "B D h w"]]:
        """The class token and the feature map of patches, after the last norm.

        Args:
            image: Normalised, of any size.
        """
        patches = self.patch_embed(image)
        size = (patches.shape[2], patches.shape[3])
        x = torch.cat([self.cls_token.expand(patches.shape[0], -1, -1), patches.flatten(2).mT], dim=1)
        x = x + resize_positions(self.pos_embed, self.grid, size)
        for number, block in enumerate(self.blocks, start=1):
            x = run_block(block, x, recompute=self.checkpointing and self.training)
            if number in self.ends:
                x = self._attend(self.ends[number], x, size)
        x = self.norm(x)
        return x[:, 0], to_map(x, size)

    def forward(self, image: Float[Tensor, "B I H W"]) -> tuple[Tensor, ...]:
        _, patches = self.tokens(image)
        return self.pyramid(patches, (image.shape[2], image.shape[3])) if self.pyramid else (patches,)

    def _attend(self, name: str, x: Float[Tensor, "B N D"], size: Size) -> Float[Tensor, "B N D"]:
        """Run the stage's block on the feature map of patches; the class token passes."""
        block = self.get_submodule(name)
        if isinstance(block, nn.Identity):
            return x
        return torch.cat([x[:, :1], block(to_map(x, size)).flatten(2).mT], dim=1)
