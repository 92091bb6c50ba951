"""LightHam, the decoder of SegNeXt: global context by matrix factorisation.

Source: Guo et al. 2022, SegNeXt, section 3.2 (arXiv:2209.08575); Geng et al. 2021 (arXiv:2109.04553).
Parameter names follow the published weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from foveate.plugins.init import init_weights
from foveate.plugins.ops.nmf import factorise

TRAIN_STEPS, EVAL_STEPS = 6, 7
GROUPS = 32
EvalBases = Literal["fixed", "random"]


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


class NMF2d(nn.Module):
    """Replace non-negative features by their best rebuild from `rank` bases.

    While training the bases start anew from random numbers each time. At evaluation they start from numbers
    stored with the weights, so one image always gives one answer; `random` keeps the published behaviour.

    Args:
        channels: Width D of the features.
        rank: Number of bases R.
        eval_bases: `fixed` or `random`.
    """

    bases: Tensor

    def __init__(self, channels: int, *, rank: int, eval_bases: EvalBases = "fixed") -> None:
        super().__init__()
        if eval_bases not in ("fixed", "random"):
            raise ValueError(f"eval_bases is 'fixed' or 'random', not {eval_bases!r}")
        self.rank = rank
        self.eval_bases = eval_bases
        start = torch.rand(1, channels, rank, generator=torch.Generator().manual_seed(0))
        self.register_buffer("bases", F.normalize(start, dim=1))

    def forward(self, x: Float[Tensor, "B D H W"]) -> Float[Tensor, "B D H W"]:
        batch, channels, height, width = x.shape
        features = x.permute(0, 2, 3, 1).reshape(batch, height * width, channels)
        rebuilt = factorise(features, self._start(batch), steps=TRAIN_STEPS if self.training else EVAL_STEPS)
        return rebuilt.reshape(batch, height, width, channels).permute(0, 3, 1, 2)

    def _start(self, batch: int) -> Tensor:
        """Bases (B, D, R) to begin with; float32 whatever dtype the weights were cast to."""
        if not self.training and self.eval_bases == "fixed":
            return self.bases.float().expand(batch, -1, -1)
        return F.normalize(torch.rand(batch, *self.bases.shape[1:], device=self.bases.device), dim=1)

    def extra_repr(self) -> str:
        return f"channels={self.bases.shape[1]}, rank={self.rank}, eval_bases={self.eval_bases}"


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
    ) -> None:
        super().__init__()
        self.squeeze = ConvNorm(sum(in_channels), channels)
        self.hamburger = Hamburger(channels, rank=rank, eval_bases=eval_bases)
        self.align = ConvNorm(channels, channels)
        self.dropout = nn.Dropout2d(dropout)
        self.conv_seg = nn.Conv2d(channels, num_classes, 1)
        nn.init.normal_(self.conv_seg.weight, std=0.01)
        nn.init.zeros_(self.conv_seg.bias)  # type: ignore[arg-type]

    def forward(self, features: Sequence[Tensor]) -> Float[Tensor, "B K h w"]:
        size = features[0].shape[2:]
        resized = [F.interpolate(f, size=size, mode="bilinear", align_corners=False) for f in features[1:]]
        x = self.squeeze(torch.cat([features[0], *resized], dim=1))
        logits: Tensor = self.conv_seg(self.dropout(self.align(self.hamburger(x))))
        return logits
