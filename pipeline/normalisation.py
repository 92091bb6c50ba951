"""Normalisation of images from bytes to floats, on the device."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from foveate.pipeline.errors import ConfigError

# Mean and standard deviation of ImageNet in 0-255, RGB, which every published SegNeXt expects.
MEAN = (123.675, 116.28, 103.53)
STD = (58.395, 57.12, 57.375)

HALF = 127.5


@dataclass(frozen=True)
class NormalisationConfig:
    """Mean and standard deviation per channel, for images in 0-1 as in timm and torchvision.

    Lists, NumPy arrays and tensors are accepted; they are stored as floats.

    Args:
        mean: Mean that is subtracted from each channel, such as ImageNet's [0.485, 0.456, 0.406].
        std: Standard deviation that each channel is divided by, such as ImageNet's [0.229, 0.224, 0.225].

    Raises:
        ConfigError: Mean and standard deviation have no number for each channel, a standard deviation is not above 0,
            or the numbers are for images in 0-255.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __post_init__(self) -> None:
        mean, std = read_statistics(self.mean, self.std)
        if max(*map(abs, mean), *std) > 1:
            raise ConfigError(
                "normalisation: mean and std are for images in 0-1 (divide those for 0-255 by 255), not "
                f"{mean} and {std}"
            )
        object.__setattr__(self, "mean", tuple(mean))
        object.__setattr__(self, "std", tuple(std))


def read_statistics(mean: Any, std: Any) -> tuple[list[float], list[float]]:
    """Means and standard deviations as plain floats.

    Args:
        mean: One number per channel: a list, a NumPy array or a tensor, of any numeric type.
        std: As many numbers.

    Raises:
        ConfigError: A value is not a finite number, their counts differ, or a standard deviation is not above 0.

    Example:
        >>> read_statistics(torch.tensor([[[0.5]]]), [1])
        ([0.5], [1.0])
    """
    means, stds = _floats("mean", mean), _floats("std", std)
    if len(means) != len(stds) or not means:
        raise ConfigError(
            f"normalisation: mean and std have a number for each channel, not {len(means)} and {len(stds)} numbers"
        )
    if not all(map(math.isfinite, [*means, *stds])) or min(stds) <= 0:
        raise ConfigError(f"normalisation: mean and std are finite and std is above 0, not {means} and {stds}")
    return means, stds


def _floats(name: str, values: Any) -> list[float]:
    plain = values.tolist() if hasattr(values, "tolist") else values
    try:
        return [float(value) for value in _flat(plain)]
    except (TypeError, ValueError) as error:
        raise ConfigError(
            f"normalisation: {name} is a list of numbers, one for each channel, not {values!r}"
        ) from error


def _flat(values: Any) -> Iterable[Any]:
    """The numbers of nested lists: the buffer of a mean has the shape (3, 1, 1)."""
    for value in values:
        value = value.tolist() if hasattr(value, "tolist") else value
        if isinstance(value, list | tuple):
            yield from _flat(value)
        elif isinstance(value, str | bytes | bool):
            raise TypeError(f"{value!r} is not a number")
        else:
            yield value


class Normalise(nn.Module):
    """Bytes to floats in channels_last order: subtract each channel's mean, divide by its standard deviation.

    Args:
        mean: Mean of each channel, for images in 0-255.
        std: Standard deviation of each channel, likewise.

    Raises:
        ConfigError: See `read_statistics`.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, mean: Iterable[Any] = MEAN, std: Iterable[Any] = STD) -> None:
        super().__init__()
        for name, tensor in zip(("mean", "std"), _buffers(mean, std), strict=True):
            self.register_buffer(name, tensor)

    def forward(self, image: UInt8[Tensor, "B C H W"]) -> Float[Tensor, "B C H W"]:
        floats = image.to(self.mean.dtype, memory_format=torch.channels_last)
        return (floats - self.mean) / self.std

    @classmethod
    def from_config(cls, config: NormalisationConfig) -> Normalise:
        """The module for the mean and standard deviation of images in 0-1.

        Args:
            config: Mean and standard deviation of each channel.
        """
        return cls([255 * value for value in config.mean], [255 * value for value in config.std])

    @classmethod
    def for_channels(cls, config: NormalisationConfig | None, channels: int) -> Normalise:
        """The module for images of a number of channels.

        Args:
            config: Mean and standard deviation; None for ImageNet's of three channels, and for half of the range of any
                other number, until they are known.
            channels: Of the images.

        Raises:
            ConfigError: The configuration is for another number of channels.
        """
        if config is None:
            return cls() if channels == len(MEAN) else cls([HALF] * channels, [HALF] * channels)
        if len(config.mean) != channels:
            raise ConfigError(
                f"normalisation: mean and std have a number for each of {channels} channels, not {len(config.mean)}"
            )
        return cls.from_config(config)

    def renew(self, mean: Iterable[Any], std: Iterable[Any]) -> None:
        """Replace mean and standard deviation, for images in 0-255.

        Args:
            mean: Mean of each channel.
            std: Standard deviation of each channel.
        """
        for own, new in zip((self.mean, self.std), _buffers(mean, std), strict=True):
            own.copy_(new)


def _buffers(mean: Iterable[Any], std: Iterable[Any]) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation as float32 tensors (C, 1, 1)."""
    means, stds = (torch.tensor(values, dtype=torch.float32).view(-1, 1, 1) for values in read_statistics(mean, std))
    return means, stds
