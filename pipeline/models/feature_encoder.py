"""Adapter that gives a library's network the interface of our encoders."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from foveate.pipeline.models.slots import Attention, check_slots, slot_at
from foveate.plugins.blocks import create_slot


class FeatureEncoder(nn.Module):
    """Feature maps of a library's network for images of any size, with height and width rounded up at each stride.

    Many networks round down or fail at a size that their strides do not divide. So the image is padded with zeros
    (below and to the right) to a multiple of every stride, and the feature maps are cropped.

    Args:
        model: The library's network.
        channels: Number of channels of each feature map, finest first.
        strides: Stride of each feature map.
        attention: Blocks for the slot `stage`, after each feature map. Only the decoder or head reads their output;
            the library's next stage reads the feature map before the block.
        name: Of the model, for error messages.

    Raises:
        PluginConfigError: There is no such slot or stage.
    """

    def __init__(
        self,
        model: nn.Module,
        channels: Sequence[int],
        strides: Sequence[int],
        attention: Attention | None,
        name: str = "this encoder",
    ) -> None:
        super().__init__()
        slots = check_slots(attention, ("stage",), name, stages=len(channels))
        self.model = model
        self.channels = tuple(channels)
        self.strides = tuple(strides)
        self.attention = nn.ModuleList(
            create_slot(slot_at(slots, "stage", stage), width) for stage, width in enumerate(channels, start=1)
        )

    def extract(self, image: Float[Tensor, "B I H W"]) -> Sequence[Tensor]:
        """The network's feature maps (B, C, h, w) of images whose height and width every stride divides."""
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
