"""The simplest decoder: a linear classifier of each position, as features of pretrained transformers are judged by."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from foveate.pipeline.models.upsampling import upsample
from foveate.plugins.blocks import SlotSpec, create_slot


class LinearDecoder(nn.Module):
    """Class logits from a batch norm and one 1 x 1 convolution over all features of an encoder.

    Coarser features are resized to the finest.

    Args:
        in_channels: Width of each feature of the encoder, finest first.
        strides: Stride of each.
        num_classes: Channels of the output.
        dropout: Rate at which whole channels are dropped before the classifier.
        attention: Blocks for the slot `decoder`, before the classifier.

    Attributes:
        stride: Of the logits.

    Source:
        Oquab et al. 2023, DINOv2, section 7.4 (arXiv:2304.07193), which judges frozen features so.
    """

    def __init__(
        self,
        *,
        in_channels: Sequence[int],
        strides: Sequence[int],
        num_classes: int,
        dropout: float = 0.0,
        attention: SlotSpec = None,
    ) -> None:
        super().__init__()
        width = sum(in_channels)
        self.stride = min(strides)
        self.norm = nn.BatchNorm2d(width)
        self.attention = create_slot(attention, width)
        self.dropout = nn.Dropout2d(dropout)
        self.classify = nn.Conv2d(width, num_classes, 1)
        nn.init.normal_(self.classify.weight, std=0.01)
        nn.init.zeros_(self.classify.bias)  # type: ignore[arg-type]

    def forward(self, features: Sequence[Tensor]) -> Float[Tensor, "B K h w"]:
        height, width = max(tuple(feature.shape[2:]) for feature in features)
        x = self.attention(self.norm(torch.cat([upsample(feature, (height, width)) for feature in features], 1)))
        logits: Tensor = self.classify(self.dropout(x))
        return logits


def create_decoder(
    name: str,
    *,
    in_channels: Sequence[int],
    strides: Sequence[int],
    num_classes: int,
    attention: SlotSpec = None,
    dropout: float = 0.0,
) -> LinearDecoder:
    """Build the linear decoder over the features of any encoder.

    Args:
        name: linear_head.
        in_channels: Width of each feature of the encoder, finest first.
        strides: Stride of each.
        num_classes: Channels of the logits.
        attention: Blocks for the slot `decoder`.
        dropout: Rate at which whole channels are dropped before the classifier.
    """
    return LinearDecoder(
        in_channels=in_channels, strides=strides, num_classes=num_classes, dropout=dropout, attention=attention
    )
