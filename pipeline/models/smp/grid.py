"""The features of any encoder as a decoder of segmentation-models-pytorch wants them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations_with_replacement, pairwise
from math import log2

import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class Features:
    """Widths and strides of an encoder's features, finest first."""

    channels: tuple[int, ...]
    strides: tuple[int, ...]

    def __str__(self) -> str:
        return f"features of {self.channels} channels at strides {self.strides}"


def choose_features(strides: Sequence[int], levels: Sequence[int]) -> tuple[int, ...]:
    """The feature to use for each stride that a decoder wants: of the nearest stride, and a different one if possible.

    Among equals the choice is evenly spread and late: of twelve features at one stride (a plain ViT) every third.

    Args:
        strides: Of the encoder's features.
        levels: Strides that a decoder wants.

    Example:
        >>> choose_features((2, 4, 8, 16, 32), (4, 8, 16, 32)), choose_features((16,) * 12, (4, 8, 16, 32))
        ((1, 2, 3, 4), (2, 5, 8, 11))
    """

    def merit(chosen: tuple[int, ...]) -> tuple[float, int, int, tuple[int, ...]]:
        off = sum(abs(log2(strides[index] / level)) for index, level in zip(chosen, levels, strict=True))
        gaps = [later - earlier for earlier, later in pairwise(chosen)]
        return -off, len(set(chosen)), min(gaps, default=0), chosen

    return max(combinations_with_replacement(range(len(strides)), len(levels)), key=merit)


@dataclass(frozen=True, kw_only=True)
class Source:
    """One feature as a decoder gets it: its index in the encoder's (None: an empty one), its stride, and the target."""

    index: int | None
    stride: int
    target: int


@dataclass(frozen=True, kw_only=True)
class Grid:
    """Features padded to one canvas whose sides the coarsest stride divides, since decoders double sides and add.

    A feature is padded by repeating its last row and column, so that each position stays where it was; it is resized
    where its stride is not the wanted one. Sides that every stride divides are left as they are.
    """

    sources: tuple[Source, ...]
    multiple: int  # pixels
    least: int = 0  # pixels

    def canvas(self, features: Sequence[Tensor]) -> tuple[int, int]:
        """Height and width in pixels.

        Args:
            features: The encoder's (B, C, h, w).
        """
        last = self.sources[-1]
        height, width = features[last.index or 0].shape[2:]
        return self._side(height * last.stride), self._side(width * last.stride)

    def _side(self, pixels: int) -> int:
        return max(-(-pixels // self.multiple) * self.multiple, self.least)

    def lay_out(self, features: Sequence[Tensor]) -> list[Tensor]:
        """The features (B, C, h, w), finest first, that the decoder wants.

        Args:
            features: The encoder's (B, C, h, w).
        """
        canvas = self.canvas(features)
        return [_fit(features, source, canvas) for source in self.sources]


def _fit(features: Sequence[Tensor], source: Source, canvas: tuple[int, int]) -> Tensor:
    height, width = (side // source.target for side in canvas)
    if source.index is None:
        return features[0].new_empty(features[0].shape[0], 0, height, width)
    feature = _continued(features[source.index], *(-(-side // source.stride) for side in canvas))
    if source.stride == source.target:
        return feature
    return F.interpolate(feature, size=(height, width), mode="bilinear", align_corners=False)


def _continued(x: Tensor, height: int, width: int) -> Tensor:
    """Padded to this size by repeating the last row and column."""
    right, below = width - x.shape[3], height - x.shape[2]
    if not torch.compiler.is_compiling() and right == below == 0:  # a traced graph holds for other sizes too
        return x
    return F.pad(x, (0, right, 0, below), mode="replicate")


def create_grid(strides: Sequence[int], levels: Sequence[int], coarsest: int, least: int) -> Grid:
    """The layout of a decoder's inputs: one for the image (only its size is used), and one for each level.

    Args:
        strides: Of the encoder's features.
        levels: Strides that the decoder wants, finest first.
        coarsest: Later levels are brought to this stride.
        least: Positions that the last of them has at least on each side.
    """
    image = Source(index=None, stride=1, target=1)
    chosen = (strides.index(2) if 2 in strides else None, *choose_features(strides, levels[1:]))
    sources = [
        Source(index=index, stride=level if index is None else strides[index], target=min(level, coarsest))
        for index, level in zip(chosen, levels, strict=True)
    ]
    return Grid(sources=(image, *sources), multiple=levels[-1], least=least * sources[-1].target)


def create_dpt_grid(strides: Sequence[int], count: int) -> Grid:
    """Strides 4, 8, 16, 32. DPT resizes by powers of two with weights of its own; the rest is brought to the level.

    Args:
        strides: Of the encoder's features.
        count: Number of features that the decoder takes.
    """
    levels = [4 * 2**index for index in range(count)]
    sources = [
        Source(index=index, stride=strides[index], target=strides[index] if log2(strides[index]) % 1 == 0 else level)
        for index, level in zip(choose_features(strides, levels), levels, strict=True)
    ]
    return Grid(sources=tuple(sources), multiple=max(*levels, *(source.target for source in sources)))
