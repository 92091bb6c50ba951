"""Weights, bases and a batch that both sides make from names, so that a comparison needs no file of weights."""

from __future__ import annotations

import math
import zlib
from collections.abc import Sequence

import torch
from torch import Tensor

SIDE, CLASSES = 64, 150


def tensor_of(name: str, shape: Sequence[int]) -> Tensor:
    """The tensor of a name in mmseg.

    Args:
        name: Such as backbone.block1.0.norm1.weight.
        shape: Its shape.
    """
    if name.endswith(("num_batches_tracked", "running_mean", "running_var")):
        return torch.ones(tuple(shape)) if name.endswith("var") else torch.zeros(tuple(shape))
    noise = torch.randn(tuple(shape), generator=torch.Generator().manual_seed(zlib.crc32(name.encode())))
    if "layer_scale" in name:
        return 0.3 + 0.05 * noise
    if len(shape) > 1:
        return noise / math.sqrt(math.prod(shape[1:]))
    return 0.05 * noise if name.endswith("bias") else 1 + 0.1 * noise


def bases_of(channels: int, rank: int) -> Tensor:
    """Bases (1, D, R) from which the factorisation starts.

    Args:
        channels: D.
        rank: R.
    """
    start = torch.rand(1, channels, rank, generator=torch.Generator().manual_seed(1))
    return torch.nn.functional.normalize(start, dim=1)


def batch() -> tuple[Tensor, Tensor]:
    """Two RGB images in bytes, and their labels, a part of which is ignored."""
    random = torch.Generator().manual_seed(2)
    image = torch.randint(0, 256, (2, 3, SIDE, SIDE), generator=random, dtype=torch.uint8)
    mask = torch.randint(0, CLASSES, (2, SIDE // 8, SIDE // 8), generator=random, dtype=torch.uint8)
    mask[0, :2] = 255
    return image, mask.repeat_interleave(8, 1).repeat_interleave(8, 2)
