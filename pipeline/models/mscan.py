"""MSCAN, the encoder of SegNeXt: convolutional attention in four stages.

Source: Guo et al. 2022, SegNeXt, section 3 (arXiv:2209.08575). Parameter names follow the published weights, so
these load without renaming; only the depthwise convolution of the MLP has another name. VAN consists of the same
parts. conv_attention.py builds both by name.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn

from foveate.pipeline.models.checkpointing import run_block
from foveate.pipeline.models.folded_block import FoldedBlock, FoldedMlp
from foveate.pipeline.models.layers import ChannelLayerNorm, DropPath, linear_rates
from foveate.pipeline.models.slots import Attention, check_slots, slot_at
from foveate.plugins.attention.msca import MultiScaleConvAttention
from foveate.plugins.blocks import SlotSpec, create_slot
from foveate.plugins.init import init_weights
from foveate.plugins.ops.affine import affine_of, fold_after, fold_before, scaling
from foveate.plugins.ops.batch_norm import BatchNorm2d, normalise_beside
from foveate.plugins.ops.depthwise import DepthwiseConv2d
from foveate.plugins.ops.folding import fold_offered
from foveate.plugins.ops.fused import FusedConv2d, name_activation
from foveate.plugins.ops.gelu import GELU
from foveate.plugins.ops.residual import scaled_residual

SLOTS = ("gate", "stage")
LAYER_SCALE = 1e-2  # initial scale of every residual branch


class ConvMlp(nn.Module):
    """Feed-forward network of a block: 1 x 1 convolution, depthwise 3 x 3, GELU, 1 x 1 convolution; no norm inside.

    Args:
        channels: Width C of input and output.
        hidden: Width between the two convolutions.
        dropout: Rate after each of the two.
    """

    def __init__(self, channels: int, hidden: int, *, dropout: float = 0.0) -> None:
        super().__init__()
        self.fc1 = nn.Conv2d(channels, hidden, 1)
        self.dwconv = DepthwiseConv2d(hidden, 3)
        self.fc2 = nn.Conv2d(hidden, channels, 1)
        self.drop = nn.Dropout(dropout)
        self.apply(init_weights)

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B C H W"]:
        hidden = self.drop(self.dwconv.forward_gelu(self.fc1(x)))
        out: Tensor = self.drop(self.fc2(hidden))
        return out


class GatedAttention(nn.Module):
    """Attention of a block: 1 x 1 convolution, GELU, gate and 1 x 1 convolution, with a residual connection.

    Args:
        channels: Width C of input and output.
        gate: Blocks for the slot `gate`.
    """

    def __init__(self, channels: int, *, gate: SlotSpec) -> None:
        super().__init__()
        self.proj_1 = nn.Conv2d(channels, channels, 1)
        self.activation = GELU()
        self.proj_2 = nn.Conv2d(channels, channels, 1)
        self.apply(init_weights)
        self.spatial_gating_unit = create_slot(gate, channels)

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B C H W"]:
        return self.gated(x) + x

    def gated(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B C H W"]:
        """The residual branch: what is added to the input."""
        gated: Tensor = self.proj_2(self.spatial_gating_unit(self.activation(self.proj_1(x))))
        return gated


class Block(nn.Module):
    """A residual block: attention, then MLP, each after a batch norm and scaled per channel (layer scale).

    The scale `ls` starts at 0.01; `dp` is drop path.

    Args:
        channels: Width C of input and output.
        mlp_ratio: Hidden width of the MLP as a multiple of C.
        gate: Blocks for the slot `gate`.
        drop_path: Rate at which a residual branch is dropped.
        dropout: Rate inside the MLP.
    """

    def __init__(self, channels: int, *, mlp_ratio: int, gate: SlotSpec, drop_path: float, dropout: float) -> None:
        super().__init__()
        self.norm1 = BatchNorm2d(channels)
        self.attn = GatedAttention(channels, gate=gate)
        self.norm2 = BatchNorm2d(channels)
        self.mlp = ConvMlp(channels, channels * mlp_ratio, dropout=dropout)
        self.layer_scale_1 = nn.Parameter(torch.full((channels,), LAYER_SCALE))
        self.layer_scale_2 = nn.Parameter(torch.full((channels,), LAYER_SCALE))
        self.drop_path = DropPath(drop_path)

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B C H W"]:
        # x + dp(ls1 * attn(BN(x))), then x + dp(ls2 * MLP(BN(x))); attn(y) = y + gated(y), whose y is passed last
        x, normed = normalise_beside(self.norm1, x)
        x = scaled_residual(x, self.attn.gated(normed), self.drop_path.scale(x, self.layer_scale_1), normed)
        x, normed = normalise_beside(self.norm2, x)
        return scaled_residual(x, self.mlp(normed), self.drop_path.scale(x, self.layer_scale_2))

    def folded(self) -> FoldedBlock:
        """The same at evaluation with norms and scales inside the convolutions (see `Foldable`)."""
        norm, scale_1, attn, mlp = affine_of(self.norm1), scaling(self.layer_scale_1), self.attn, self.mlp
        fold_before(norm, attn.proj_1)
        fold_after(attn.proj_2, scale_1._replace(shift=scale_1.scale * norm.shift))
        fold_before(affine_of(self.norm2), mlp.fc1)
        fold_after(mlp.fc2, scaling(self.layer_scale_2))
        gelu = name_activation(attn.activation)
        return FoldedBlock(
            proj_1=FusedConv2d(attn.proj_1, gelu),
            gate=fold_offered(attn.spatial_gating_unit),
            proj_2=FusedConv2d(attn.proj_2),
            mlp=FoldedMlp(FusedConv2d(mlp.fc1), FusedConv2d(mlp.dwconv, gelu), FusedConv2d(mlp.fc2)),
            shortcut=(scale_1.scale * norm.scale).to(self.norm1.weight.dtype)[:, None, None],
        )


class Stem(nn.Module):
    """From the image to features at stride 4: two 3 x 3 convolutions of stride 2, each with a batch norm.

    Args:
        in_channels: Channels of the image.
        channels: Width C of the output, even.
    """

    def __init__(self, in_channels: int, channels: int) -> None:
        super().__init__()
        self.proj = nn.Sequential(
            nn.Conv2d(in_channels, channels // 2, 3, stride=2, padding=1),
            BatchNorm2d(channels // 2),
            GELU(),
            nn.Conv2d(channels // 2, channels, 3, stride=2, padding=1),
            BatchNorm2d(channels),
        )
        self.apply(init_weights)

    def forward(self, x: Float[Tensor, "B I H W"]) -> Float[Tensor, "B C h w"]:
        features: Tensor = self.proj(x)
        return features


class PatchEmbed(nn.Module):
    """Downsample and widen features by one overlapping convolution and a batch norm.

    Args:
        in_channels: Width of the input.
        channels: Width C of the output.
        kernel: Side of the convolution, odd.
        stride: Of the convolution.
    """

    def __init__(self, in_channels: int, channels: int, *, kernel: int = 3, stride: int = 2) -> None:
        super().__init__()
        self.proj = nn.Conv2d(in_channels, channels, kernel, stride=stride, padding=kernel // 2)
        self.norm = BatchNorm2d(channels)
        self.apply(init_weights)

    def forward(self, x: Float[Tensor, "B I H W"]) -> Float[Tensor, "B C h w"]:
        features: Tensor = self.norm(self.proj(x))
        return features


class ConvAttentionEncoder(nn.Module):
    """Features of an image at strides 4, 8, 16 and 32; the base of MSCAN and VAN.

    Args:
        channels: Width of each stage.
        depths: Blocks in each stage.
        mlp_ratios: Width of the hidden layer of the MLP as a multiple of the stage's, per stage.
        drop_path: Rate for the last block; it grows linearly from 0 at the first.
        dropout: Rate inside the MLP.
        attention: Blocks for the slots `gate` (in every block; the family's own if not given) and `stage` (after
            each stage).
        in_channels: Channels of the image.
    """

    strides = (4, 8, 16, 32)
    checkpointing = False  # whether blocks are recomputed in the backward pass
    stem: type[nn.Module]  # from the image to the first stage's width at stride 4
    gate: type[nn.Module]  # the block in the slot `gate`, unless another is asked for
    eps: float  # of the layer norm after each stage

    def __init__(
        self,
        *,
        channels: Sequence[int],
        depths: Sequence[int],
        mlp_ratios: Sequence[int] = (8, 8, 4, 4),
        drop_path: float = 0.1,
        dropout: float = 0.0,
        attention: Attention | None = None,
        in_channels: int = 3,
    ) -> None:
        super().__init__()
        self.channels = tuple(channels)
        slots = {"gate": self.gate, **check_slots(attention, SLOTS, type(self).__name__, stages=len(channels))}
        rates = linear_rates(drop_path, sum(depths))
        embeds = [self.stem(in_channels, channels[0]), *(PatchEmbed(*pair) for pair in pairwise(channels))]
        for stage, (width, depth, ratio) in enumerate(zip(channels, depths, mlp_ratios, strict=True), start=1):
            blocks = [
                Block(
                    width, mlp_ratio=ratio, gate=slot_at(slots, "gate", stage), drop_path=rates.pop(0), dropout=dropout
                )
                for _ in range(depth)
            ]
            self.add_module(f"patch_embed{stage}", embeds[stage - 1])
            self.add_module(f"block{stage}", nn.ModuleList(blocks))
            self.add_module(f"norm{stage}", ChannelLayerNorm(width, eps=self.eps))
            self.add_module(f"attention{stage}", create_slot(slot_at(slots, "stage", stage), width))

    def forward(self, x: Float[Tensor, "B I H W"]) -> tuple[Tensor, ...]:
        features = []
        for stage in range(1, len(self.channels) + 1):
            x = self.get_submodule(f"patch_embed{stage}")(x)
            for block in self.get_submodule(f"block{stage}").children():
                x = run_block(block, x, recompute=self.checkpointing and self.training)
            x = self.get_submodule(f"norm{stage}")(x)
            x = self.get_submodule(f"attention{stage}")(x)
            features.append(x)
        return tuple(features)


class MSCAN(ConvAttentionEncoder):
    """Multi-scale convolutional attention in every block, and a stem of two 3 x 3 convolutions.

    Arguments: see ConvAttentionEncoder.
    """

    stem = Stem
    gate = MultiScaleConvAttention
    eps = 1e-5


@dataclass(frozen=True, kw_only=True)
class Variant:
    """The sizes of an encoder (arXiv:2209.08575, table 2; drop path of the authors' configurations)."""

    channels: tuple[int, int, int, int]
    depths: tuple[int, int, int, int]
    drop_path: float = 0.1


VARIANTS = {
    "mscan_t": Variant(channels=(32, 64, 160, 256), depths=(3, 3, 5, 2)),
    "mscan_s": Variant(channels=(64, 128, 320, 512), depths=(2, 2, 4, 2)),
    "mscan_b": Variant(channels=(64, 128, 320, 512), depths=(3, 3, 12, 3)),
    "mscan_l": Variant(channels=(64, 128, 320, 512), depths=(3, 5, 27, 3), drop_path=0.3),
}
