"""LightHam, the decoder of SegNeXt: global context by matrix factorisation.

Source: Guo et al. 2022, SegNeXt, section 3.2 (arXiv:2209.08575); Geng et al. 2021 (arXiv:2109.04553).
Parameter names follow the published weights.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from foveate.pipeline.errors import ConfigError
from foveate.pipeline.models.upsampling import upsample
from foveate.plugins.attention.hamburger import EvalBases as EvalBases  # imported from here by models that use LightHam
from foveate.plugins.attention.hamburger import NMF2d
from foveate.plugins.blocks import SlotSpec, create_slot
from foveate.plugins.init import init_weights
from foveate.plugins.ops.depthwise import DepthwiseConv2d
from foveate.plugins.ops.group_norm import GroupNorm

GROUPS = 32
REFINE_CHANNELS = 32  # width of the refinement by finer features
REFINE_GROUP = 8  # channels of each group of the refinements' group norm, as many as 256 channels in 32 groups
STRIDES = (8, 16, 32)  # of the features that SegNeXt decodes


class ConvNorm(nn.Module):
    """1 x 1 convolution and group norm, and optionally a ReLU.

    Args:
        in_channels: Width of the input.
        channels: Width C of the output.
        groups: Of the group norm; a divisor of `channels`.
        relu: Whether a ReLU follows.
    """

    def __init__(self, in_channels: int, channels: int, *, groups: int = GROUPS, relu: bool = True) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, channels, 1, bias=False)
        self.gn = GroupNorm(groups, channels)
        self.relu = relu
        self.apply(init_weights)

    def forward(self, x: Float[Tensor, "B I H W"]) -> Float[Tensor, "B C H W"]:
        return self.normalise(self.conv(x))

    def normalise(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B C H W"]:
        """The group norm and the ReLU, without the convolution."""
        x = self.gn(x)
        return F.relu(x, inplace=True) if self.relu else x

    def merge(self, features: Sequence[Tensor]) -> Float[Tensor, "B C H W"]:
        """The same of several features as if they were concatenated, the others resized to the first.

        Convolution and resizing are linear, so that their order is free: each feature is convolved first, at a quarter
        or a sixteenth of the positions, and nothing is concatenated.

        Args:
            features: Finest first; their widths add up to `in_channels`.
        """
        parts = torch.split(self.conv.weight, [feature.shape[1] for feature in features], dim=1)
        x, *others = (F.conv2d(feature, part) for feature, part in zip(features, parts, strict=True))
        for other in others:
            x = x + F.interpolate(other, size=x.shape[2:], mode="bilinear", align_corners=False)
        return self.normalise(x)


class Hamburger(nn.Module):
    """Matrix factorisation between two 1 x 1 convolutions, with a residual connection.

    Args:
        channels: Width C of input and output.
        rank: Bases of the factorisation.
        eval_bases: See NMF2d.
        groups: Of the group norm.
    """

    def __init__(self, channels: int, *, rank: int, eval_bases: EvalBases, groups: int = GROUPS) -> None:
        super().__init__()
        self.ham_in = nn.ModuleDict({"conv": nn.Conv2d(channels, channels, 1)})
        self.ham_in.apply(init_weights)
        self.ham = NMF2d(channels, rank=rank, eval_bases=eval_bases)
        self.ham_out = ConvNorm(channels, channels, groups=groups, relu=False)

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B C H W"]:
        context = self.ham(F.relu(self.ham_in["conv"](x)))
        return F.relu(x + self.ham_out(context.to(x.dtype)))


def pick_features(strides: Sequence[int]) -> tuple[int, ...]:
    """Which of an encoder's features LightHam takes: those at strides 8, 16 and 32, or else the last three.

    Args:
        strides: Stride of each feature, finest first.

    Example:
        >>> pick_features((2, 4, 8, 16, 32)), pick_features((2, 4, 8, 16, 16))
        ((2, 3, 4), (2, 3, 4))
    """
    last = {stride: index for index, stride in enumerate(strides)}
    if all(stride in last for stride in STRIDES):
        return tuple(last[stride] for stride in STRIDES)
    return tuple(range(len(strides)))[-3:]


def pick_finer(strides: Sequence[int], decoded: int, finest: int) -> tuple[int, ...]:
    """Which of an encoder's features refine what LightHam decodes, coarsest first.

    Args:
        strides: Stride of each feature, finest first.
        decoded: Stride of the finest feature that LightHam takes anyway.
        finest: Stride that the logits shall have.

    Raises:
        ConfigError: The encoder has no feature of that stride, or LightHam's own are finer.

    Example:
        >>> pick_finer((2, 4, 8, 16, 32), 8, 2), pick_finer((4, 8, 16, 32), 8, 4), pick_finer((4, 8, 16, 32), 8, 8)
        ((1, 0), (0,), ())
    """
    offered = sorted({stride for stride in strides if stride <= decoded})
    if finest not in offered:
        raise ConfigError(
            f"light_ham: stride is {', '.join(map(str, offered))}, the strides of this encoder's features, not {finest}"
        )
    last = {stride: index for index, stride in enumerate(strides)}
    return tuple(last[stride] for stride in reversed(offered) if finest <= stride < decoded)


class Refinement(nn.Module):
    """Corrects logits by the detail of a finer feature.

    Both features are convolved and normalised on their own, since their magnitudes differ, and added; a depthwise 3 x 3
    and a 1 x 1 convolution follow. The correction starts at 0, so that training starts from the coarse logits.

    Args:
        finer: Width of the finer feature.
        coarser: Width of the decoded features.
        num_classes: Channels of the logits.
    """

    def __init__(self, finer: int, coarser: int, num_classes: int) -> None:
        super().__init__()
        channels, groups = REFINE_CHANNELS, REFINE_CHANNELS // REFINE_GROUP
        self.finer = ConvNorm(finer, channels, groups=groups, relu=False)
        self.coarser = ConvNorm(coarser, channels, groups=groups, relu=False)
        self.depthwise = DepthwiseConv2d(channels, 3, bias=False).apply(init_weights)
        self.align = ConvNorm(channels, channels, groups=groups)
        self.conv_seg = nn.Conv2d(channels, num_classes, 1, bias=False)
        nn.init.zeros_(self.conv_seg.weight)

    def forward(
        self, finer: Float[Tensor, "B I H W"], coarser: Float[Tensor, "B J h w"], logits: Float[Tensor, "B K h w"]
    ) -> tuple[Float[Tensor, "B C H W"], Float[Tensor, "B K H W"]]:
        size = (finer.shape[2], finer.shape[3])
        x = F.relu(self.finer(finer) + upsample(self.coarser(coarser), size))
        x = self.align(self.depthwise(x))
        return x, upsample(logits, size) + self.conv_seg(x)


class LightHam(nn.Module):
    """Class logits from three features of an encoder, at the stride of the finest of them, which is 8 in SegNeXt.

    With a finer `stride`, features that are finer still refine these logits, one after the other.

    Args:
        in_channels: Width of each feature of the encoder, finest first.
        strides: Stride of each; `pick_features` says which are taken.
        channels: Width inside the decoder.
        rank: Bases of the factorisation.
        num_classes: Channels of the output.
        dropout: Rate at which whole channels are dropped before the classifier.
        eval_bases: See NMF2d.
        attention: Blocks for the slot `decoder`, after the factorisation.
        stride: Of the logits; if not given, that of the finest of the three features.
    """

    def __init__(
        self,
        *,
        in_channels: Sequence[int],
        strides: Sequence[int],
        channels: int,
        rank: int,
        num_classes: int,
        dropout: float = 0.1,
        eval_bases: EvalBases = "fixed",
        attention: SlotSpec = None,
        stride: int | None = None,
    ) -> None:
        super().__init__()
        self.taken = pick_features(strides)
        decoded = strides[self.taken[0]]
        self.stride = decoded if stride is None else stride
        self.finer = pick_finer(strides, decoded, self.stride)
        self.squeeze = ConvNorm(sum(in_channels[index] for index in self.taken), channels)
        self.hamburger = Hamburger(channels, rank=rank, eval_bases=eval_bases)
        self.align = ConvNorm(channels, channels)
        self.dropout = nn.Dropout2d(dropout)
        widths = [channels] + [REFINE_CHANNELS] * len(self.finer)
        self.refine = nn.ModuleList(
            Refinement(in_channels[index], width, num_classes) for index, width in zip(self.finer, widths, strict=False)
        )
        self.conv_seg = nn.Conv2d(channels, num_classes, 1)
        nn.init.normal_(self.conv_seg.weight, std=0.01)
        nn.init.zeros_(self.conv_seg.bias)  # type: ignore[arg-type]
        self.attention = create_slot(attention, channels)

    def forward(self, features: Sequence[Tensor]) -> Float[Tensor, "B K h w"]:
        x = self.squeeze.merge([features[index] for index in self.taken])
        x = self.attention(self.align(self.hamburger(x)))
        x = self.dropout(x)
        logits: Tensor = self.conv_seg(x)
        for index, refine in zip(self.finer, self.refine, strict=True):
            x, logits = refine(features[index], x, logits)
        return logits


def create_decoder(
    name: str,
    *,
    in_channels: Sequence[int],
    strides: Sequence[int],
    num_classes: int,
    attention: SlotSpec = None,
    channels: int = 256,
    rank: int = 16,
    dropout: float = 0.1,
    eval_bases: EvalBases = "fixed",
    stride: int | None = None,
) -> LightHam:
    """Build LightHam over the features of any encoder.

    Args:
        name: light_ham.
        in_channels: Width of each feature of the encoder, finest first.
        strides: Stride of each.
        num_classes: Channels of the logits.
        attention: Blocks for the slot `decoder`.
        channels: Width inside the decoder, a multiple of 32.
        rank: Bases of the factorisation.
        dropout: Rate at which whole channels are dropped before the classifier.
        eval_bases: Whether evaluation starts from bases stored with the weights, or from random ones.
        stride: Of the logits, such as 4 or 2 for thin objects: finer features of the encoder then refine the result. If
            not given, the stride of the finest feature that is factorised, which is 8 in SegNeXt.

    Raises:
        ConfigError: The width does not divide into groups, or the encoder has no feature of that stride.
    """
    if channels % GROUPS:
        raise ConfigError(f"{name}: its group norm has {GROUPS} groups; channels is a multiple of that, not {channels}")
    return LightHam(
        in_channels=in_channels,
        strides=strides,
        channels=channels,
        rank=rank,
        num_classes=num_classes,
        dropout=dropout,
        eval_bases=eval_bases,
        attention=attention,
        stride=stride,
    )
