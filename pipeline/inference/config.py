"""How an image is passed through a network at evaluation."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from foveate.pipeline.errors import ConfigError

Protocol = Literal["single_scale", "multi_scale"]
WindowWeights = Literal["uniform", "linear", "gaussian"]
MULTI_SCALE = (0.5, 0.75, 1.0, 1.25, 1.5, 1.75)
LARGEST_SCALE = 8
Size = tuple[int, int]


@dataclass(frozen=True)
class InferenceConfig:
    """How an image is passed through the network at evaluation: as a whole, or in sliding windows; at which scales.

    Args:
        mode: `whole`: the whole image at once; `slide`: overlapping windows, whose logits are averaged.
        size: Height and width of a window, in pixels.
        stride: Vertical and horizontal step between windows, in pixels.
        multiple_of: With `whole`, height and width are padded to a multiple of this number; 1 does not pad. With
            `short_side` they are rounded up to it as the image is resized.
        short_side: Resize an image to this short side, in pixels, before it is passed through the network, and the
            logits back; None evaluates images at their own size.
        long_side: Limit of the long side in that: an image that would exceed it is resized to this long side.
        window_weights: How much each pixel of a window counts where windows overlap: `uniform`, `linear` (falls towards
            the edges of the window) or `gaussian` (falls faster).
        protocol: Test-time augmentation of the paper: `single_scale` has none, `multi_scale` averages the probabilities
            at scales 0.5, 0.75, 1, 1.25, 1.5 and 1.75, each with and without a horizontal flip.
        scales: Resize factors whose probabilities are averaged; those of the protocol if not given.
        flip: Whether each scale is also evaluated mirrored; that of the protocol if not given.

    Raises:
        ConfigError: A number is out of range.
    """

    mode: Literal["whole", "slide"] = "whole"
    size: tuple[int, int] = (1024, 1024)
    stride: tuple[int, int] = (768, 768)
    multiple_of: int = 1
    short_side: int | None = None
    long_side: int | None = None
    window_weights: WindowWeights = "uniform"
    protocol: Protocol = "single_scale"
    scales: tuple[float, ...] | None = None
    flip: bool | None = None

    def __post_init__(self) -> None:
        if min(*self.size, *self.stride, self.multiple_of) < 1:
            raise ConfigError(f"inference: size, stride and multiple_of are at least 1, not {self}")
        if self.stride[0] > self.size[0] or self.stride[1] > self.size[1]:
            raise ConfigError(f"inference: a stride of {self.stride} leaves gaps between windows of {self.size}")
        if self.short_side is None and self.long_side is not None:
            raise ConfigError("inference: long_side limits what short_side asks for: give short_side too")
        if self.short_side is not None and not 1 <= self.short_side <= (self.long_side or self.short_side):
            raise ConfigError(f"inference: short_side is at least 1 and at most long_side, not {self}")
        if self.scales is not None:
            object.__setattr__(self, "scales", tuple(map(float, self.scales)))
            if not self.scales or not all(0 < scale <= LARGEST_SCALE for scale in self.scales):
                raise ConfigError(
                    f"inference: scales are one or more numbers above 0 and at most {LARGEST_SCALE}, such as "
                    f"{list(MULTI_SCALE)}, not {list(self.scales)}"
                )

    @property
    def used_scales(self) -> tuple[float, ...]:
        """The scales that are evaluated."""
        return self.scales or (MULTI_SCALE if self.protocol == "multi_scale" else (1.0,))

    @property
    def flips(self) -> bool:
        """Whether each scale is also evaluated mirrored."""
        return self.protocol == "multi_scale" if self.flip is None else self.flip

    @property
    def augments(self) -> bool:
        """Whether probabilities of several views are averaged."""
        return self.flips or len(self.used_scales) > 1

    def fitted(self, size: Size, scale: float = 1.0) -> Size:
        """Height and width that an image is resized to.

        Args:
            size: Height and width of the image.
            scale: Factor of test-time augmentation.

        Example:
            >>> InferenceConfig(short_side=512, long_side=2048, multiple_of=32).fitted((600, 1000))
            (512, 864)
            >>> InferenceConfig().fitted((1024, 2047), 0.5)
            (512, 1024)
        """
        if self.short_side is None:
            return size if scale == 1 else _scaled(size, scale)
        factor = int(self.short_side * scale) / min(size)
        if self.long_side is not None:
            factor = min(factor, int(self.long_side * scale) / max(size))
        height, width = (math.ceil(side / self.multiple_of) * self.multiple_of for side in _scaled(size, factor))
        return height, width


def _scaled(size: Size, factor: float) -> Size:
    return max(1, int(size[0] * factor + 0.5)), max(1, int(size[1] * factor + 0.5))
