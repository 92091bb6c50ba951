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

from foveate.plugins.attention.hamburger import EvalBases as EvalBases  # the models that use LightHam name it
from foveate.plugins.attention.hamburger import NMF2d
from foveate.plugins.blocks import SlotSpec, create_slot
from foveate.plugins.init import init_weights

GROUPS = 32


class ConvNorm(nn.Module):
    """1 x 1 convolution and group norm, and a ReLU where asked."""

    def __init__(self, in_channels: int, channels: int, *, groups: int = GROUPS, relu: bool = True) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, channels, 1, bias=False)
        self.gn = nn.GroupNorm(groups, channels)
        self.relu = relu
        self.apply(init_weights)

    def forward(self, x: Float[Tensor, "B I H W"]) -> Float[Tensor, "B C H W"]:
        x = self.gn(self.conv(x))
        return F.relu(x, inplace=True) if self.relu else x


class Hamburger(nn.Module):
    """Matrix factorisation between two 1 x 1 convolutions, added to what came in."""

    def __init__(self, channels: int, *, rank: int, eval_bases: EvalBases, groups: int = GROUPS) -> None:
        super().__init__()
        self.ham_in = nn.ModuleDict({"conv": nn.Conv2d(channels, channels, 1)})
        self.ham_in.apply(init_weights)
        self.ham = NMF2d(channels, rank=rank, eval_bases=eval_bases)
        self.ham_out = ConvNorm(channels, channels, groups=groups, relu=False)

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B C H W"]:
        context = self.ham(F.relu(self.ham_in["conv"](x)))
        return F.relu(x + self.ham_out(context.to(x.dtype)))


class LightHam(nn.Module):
    """Class logits at an eighth of the image's sides, from the last three stages of an encoder.

    Args:
        in_channels: Width of each stage that is used, finest first.
        channels: Width inside the decoder.
        rank: Bases of the factorisation.
        num_classes: Channels of the output.
        dropout: Rate at which whole channels are dropped before the classifier.
        eval_bases: See NMF2d.
        attention: Blocks for the slot `decoder`, before the classifier.
    """

    def __init__(
        self,
        *,
        in_channels: Sequence[int],
        channels: int,
        rank: int,
        num_classes: int,
        dropout: float = 0.1,
        eval_bases: EvalBases = "fixed",
        attention: SlotSpec = None,
    ) -> None:
        super().__init__()
        self.squeeze = ConvNorm(sum(in_channels), channels)
        self.hamburger = Hamburger(channels, rank=rank, eval_bases=eval_bases)
        self.align = ConvNorm(channels, channels)
        self.dropout = nn.Dropout2d(dropout)
        self.conv_seg = nn.Conv2d(channels, num_classes, 1)
        nn.init.normal_(self.conv_seg.weight, std=0.01)
        nn.init.zeros_(self.conv_seg.bias)  # type: ignore[arg-type]
        self.attention = create_slot(attention, channels)

    def forward(self, features: Sequence[Tensor]) -> Float[Tensor, "B K h w"]:
        size = features[0].shape[2:]
        resized = [F.interpolate(f, size=size, mode="bilinear", align_corners=False) for f in features[1:]]
        x = self.squeeze(torch.cat([features[0], *resized], dim=1))
        x = self.attention(self.align(self.hamburger(x)))
        logits: Tensor = self.conv_seg(self.dropout(x))
        return logits
