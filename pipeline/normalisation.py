"""From bytes to what the network sees, on the device."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

# Of ImageNet's training images in 0-255, RGB: the figures every published SegNeXt expects.
MEAN = (123.675, 116.28, 103.53)
STD = (58.395, 57.12, 57.375)


class Normalise(nn.Module):
    """RGB bytes to floats in channels_last order, less the mean and over the deviation of each channel."""

    mean: Tensor
    std: Tensor

    def __init__(self, mean: Sequence[float] = MEAN, std: Sequence[float] = STD) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean).view(-1, 1, 1))
        self.register_buffer("std", torch.tensor(std).view(-1, 1, 1))

    def forward(self, image: UInt8[Tensor, "B C H W"]) -> Float[Tensor, "B C H W"]:
        floats = image.to(self.mean.dtype, memory_format=torch.channels_last)
        return (floats - self.mean) / self.std
