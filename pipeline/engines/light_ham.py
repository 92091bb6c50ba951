"""LightHam, folded: what it computes stays the same."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from foveate.pipeline.models.light_ham import LightHam


class FoldedLightHam(nn.Module):
    """LightHam that narrows the coarse features before it resizes them.

    Both are linear and the 1 x 1 convolution has no bias, so their order is free: the convolution then runs on a
    quarter or a sixteenth of the places, and nothing is concatenated.
    """

    def __init__(self, decoder: LightHam) -> None:
        super().__init__()
        self.decoder = decoder
        self.taken, self.stride = decoder.taken, decoder.stride

    def forward(self, features: Sequence[Tensor]) -> Float[Tensor, "B K h w"]:
        decoder = self.decoder
        taken = [features[index] for index in self.taken]
        parts = torch.split(decoder.squeeze.conv.weight, [feature.shape[1] for feature in taken], dim=1)
        finest, *others = (F.conv2d(feature, part) for feature, part in zip(taken, parts, strict=True))
        for other in others:
            finest = finest + F.interpolate(other, size=finest.shape[2:], mode="bilinear", align_corners=False)
        x = F.relu(decoder.squeeze.gn(finest))
        x = decoder.attention(decoder.align(decoder.hamburger(x)))
        logits: Tensor = decoder.conv_seg(x)
        return logits


def fold_light_ham(decoder: LightHam) -> FoldedLightHam:
    """The decoder folded; its weights in the memory order of 1 x 1 convolutions, so that parts of them lie whole."""
    decoder.squeeze.conv.weight.data = decoder.squeeze.conv.weight.data.contiguous(memory_format=torch.channels_last)
    return FoldedLightHam(decoder)
