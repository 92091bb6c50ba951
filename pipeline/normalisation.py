"""From bytes to what the network sees, on the device."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from foveate.pipeline.errors import ConfigError

# Of ImageNet's training images in 0-255, RGB: the figures every published SegNeXt expects.
MEAN = (123.675, 116.28, 103.53)
STD = (58.395, 57.12, 57.375)


@dataclass(frozen=True)
class NormalisationConfig:
    """What images are normalised by, channel by channel in RGB, for images in 0-1 as timm and torchvision have it.

    Args:
        mean: Taken off each channel, such as [0.485, 0.456, 0.406], ImageNet's.
        std: What each is then divided by, such as [0.229, 0.224, 0.225].

    Raises:
        ConfigError: A deviation is not above 0, or the figures are those of images in 0-255.
    """

    mean: tuple[float, float, float]
    std: tuple[float, float, float]

    def __post_init__(self) -> None:
        if min(self.std) <= 0 or max(*map(abs, self.mean), *self.std) > 1:
            raise ConfigError(
                "normalisation: mean and std are for images in 0-1 (divide those for 0-255 by 255), and std is above "
                f"0; not {list(self.mean)} and {list(self.std)}"
            )


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

    @classmethod
    def from_config(cls, config: NormalisationConfig) -> Normalise:
        """Of figures for images in 0-1."""
        return cls([255 * value for value in config.mean], [255 * value for value in config.std])

    def renew(self, mean: Sequence[float], std: Sequence[float]) -> None:
        """Take other figures, for images in 0-255."""
        self.mean.copy_(torch.tensor(mean).view(-1, 1, 1))
        self.std.copy_(torch.tensor(std).view(-1, 1, 1))
