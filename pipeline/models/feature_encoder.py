"""A library's network behind the contract of our encoders."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from foveate.plugins.blocks import SlotSpec, create_slot


class FeatureEncoder(nn.Module):
    """Features of any image by a library's network, sides rounded up at each stride.

    Many networks round down or stop at a size that no stride divides, so the image is filled up with zeros (below
    and to the right) to a multiple of every stride, and the features are cut back.

    Args:
        model: The library's network.
        channels: Width of each feature, finest first.
        strides: Stride of each.
        attention: Blocks for the slot `stage`, after each feature. What they give goes to the decoder alone: the
            library's next stage still starts from its own.
    """

    def __init__(self, model: nn.Module, channels: Sequence[int], strides: Sequence[int], attention: SlotSpec) -> None:
        super().__init__()
        self.model = model
        self.channels = tuple(channels)
        self.strides = tuple(strides)
        self.attention = nn.ModuleList(create_slot(attention, width) for width in channels)

    def extract(self, image: Float[Tensor, "B I H W"]) -> Sequence[Tensor]:
        """The network's features (B, C, h, w) of an image whose sides every stride divides."""
        features: Sequence[Tensor] = self.model(image)
        return features

    def forward(self, image: Float[Tensor, "B I H W"]) -> tuple[Tensor, ...]:
        height, width = image.shape[2:]
        multiple = math.lcm(*self.strides)
        features = self.extract(F.pad(image, (0, -width % multiple, 0, -height % multiple)))
        return tuple(
            block(feature[..., : -(-height // stride), : -(-width // stride)])
            for feature, stride, block in zip(features, self.strides, self.attention, strict=True)
        )
