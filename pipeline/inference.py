"""From an image of any size to logits at that size."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor

from foveate.pipeline.engines.engine import Engine
from foveate.pipeline.errors import ConfigError
from foveate.pipeline.models.segmenter import Segmenter
from foveate.pipeline.models.upsampling import classify, classify_upsampled, upsample
from foveate.plugins.errors import PluginError

Network = Callable[[Tensor], Tensor]
Check = Callable[[Tensor, int, Sequence[int | None]], Tensor]


@dataclass(frozen=True)
class InferenceConfig:
    """How an image is passed through the network at evaluation: as a whole, or in sliding windows.

    Args:
        mode: `whole`: the whole image at once; `slide`: overlapping windows, whose logits are averaged.
        size: Height and width of a window, in pixels.
        stride: Vertical and horizontal step between windows, in pixels.
        multiple_of: With `whole`, height and width are padded to a multiple of this number; 1 does not pad. With
            `short_side` they are rounded up to it as the image is resized.
        short_side: Resize an image to this short side, in pixels, before it is passed through the network, and the
            logits back; None evaluates images at their own size.
        long_side: Limit of the long side in that: an image that would exceed it is resized to this long side.
    """

    mode: Literal["whole", "slide"] = "whole"
    size: tuple[int, int] = (1024, 1024)
    stride: tuple[int, int] = (768, 768)
    multiple_of: int = 1
    short_side: int | None = None
    long_side: int | None = None

    def __post_init__(self) -> None:
        if min(*self.size, *self.stride, self.multiple_of) < 1:
            raise ConfigError(f"inference: size, stride and multiple_of are at least 1, not {self}")
        if self.stride[0] > self.size[0] or self.stride[1] > self.size[1]:
            raise ConfigError(f"inference: a stride of {self.stride} leaves gaps between windows of {self.size}")
        if self.short_side is None and self.long_side is not None:
            raise ConfigError("inference: long_side limits what short_side asks for: give short_side too")
        if self.short_side is not None and not 1 <= self.short_side <= (self.long_side or self.short_side):
            raise ConfigError(f"inference: short_side is at least 1 and at most long_side, not {self}")

    def fitted(self, size: tuple[int, int]) -> tuple[int, int]:
        """Height and width that an image is resized to.

        Example:
            >>> InferenceConfig(short_side=512, long_side=2048, multiple_of=32).fitted((600, 1000))
            (512, 864)
        """
        if self.short_side is None:
            return size
        scale = self.short_side / min(size)
        if self.long_side is not None:
            scale = min(scale, self.long_side / max(size))
        height, width = (math.ceil(max(1, round(side * scale)) / self.multiple_of) * self.multiple_of for side in size)
        return height, width


def infer(network: Network, image: Float[Tensor, "B C H W"], config: InferenceConfig) -> Float[Tensor, "B K H W"]:
    """Logits of normalised images, at the size of the images."""
    size = image.shape[2], image.shape[3]
    logits = _infer(network, upsample(image, config.fitted(size)), config)
    return upsample(logits, size)


def _infer(network: Network, image: Tensor, config: InferenceConfig) -> Tensor:
    if config.mode == "slide":
        return _infer_slide(network, image, config)
    return _infer_whole(network, image, config.multiple_of)


def _unchecked(logits: Tensor, images: int, size: Sequence[int | None]) -> Tensor:
    return logits


def infer_classes(
    network: Network, image: Float[Tensor, "B C H W"], config: InferenceConfig, *, check: Check = _unchecked
) -> Int64[Tensor, "B H W"]:
    """The class of each pixel of normalised images: the same as `infer(...).argmax(1)`, but faster.

    For whole images without padding, the full-size logits are never computed (see `classify_upsampled`).

    Args:
        network: From normalised images to logits at their size.
        image: Normalised images.
        config: How they are put through the network.
        check: Gives logits back after a look at their shape; it is told the number of images, and the height and width
            that are expected, None for any.
    """
    images, size = len(image), (image.shape[2], image.shape[3])
    unpadded = all(side % config.multiple_of == 0 for side in size)
    as_they_are = config.mode == "whole" and unpadded and config.fitted(size) == size
    decode = coarse_decoder(network) if as_they_are else None
    if decode is not None:
        return classify_upsampled(check(decode(image), images, (None, None)), size)
    return classify(check(infer(network, image, config), images, size))


def coarse_decoder(network: Network) -> Network | None:
    """What gives a segmenter's logits before they are resized to the image; None where the network does not resize."""
    if isinstance(network, Engine):
        return network.decode if network.coarse else None
    return network.decode if isinstance(network, Segmenter) and network.stride > 1 else None


def _infer_whole(network: Network, image: Tensor, multiple_of: int) -> Tensor:
    height, width = image.shape[2:]
    bottom, right = -height % multiple_of, -width % multiple_of
    padded = F.pad(image, (0, right, 0, bottom)) if bottom or right else image
    return network(padded)[..., :height, :width]


def _infer_slide(network: Network, image: Tensor, config: InferenceConfig) -> Tensor:
    total: Tensor | None = None
    height, width = image.shape[2:]
    count = torch.zeros(1, 1, height, width, device=image.device)
    for rows, columns in windows((height, width), config.size, config.stride):
        window = image[..., rows, columns]
        logits = network(window).float()
        if logits.shape[2:] != window.shape[2:]:  # broadcasting would spread them
            raise PluginError(f"logits of a window of {tuple(window.shape[2:])} have shape {tuple(logits.shape)}")
        if total is None:
            total = torch.zeros(image.shape[0], logits.shape[1], height, width, device=image.device)
        total[..., rows, columns] += logits
        count[..., rows, columns] += 1
    assert total is not None
    return total / count


def windows(size: tuple[int, int], window: tuple[int, int], stride: tuple[int, int]) -> Iterator[tuple[slice, slice]]:
    """Windows that cover an area. The last ones are moved inward; a window larger than the area is cropped to it.

    Example:
        >>> [(r.start, c.start) for r, c in windows((1024, 2048), (1024, 1024), (768, 768))]
        [(0, 0), (0, 768), (0, 1024)]
    """
    for top in _starts(size[0], window[0], stride[0]):
        for left in _starts(size[1], window[1], stride[1]):
            yield slice(top, min(top + window[0], size[0])), slice(left, min(left + window[1], size[1]))


def _starts(length: int, window: int, stride: int) -> list[int]:
    last = max(length - window, 0)
    return [*range(0, last, stride), last]
