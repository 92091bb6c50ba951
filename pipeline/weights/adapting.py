"""Adapts published tensors to another image size, patch size or number of image channels."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from foveate.pipeline.models.vit.positions import Size, resize_positions


class Adapted(NamedTuple):
    """A tensor in the model's shape, and a description of the change."""

    tensor: Tensor
    how: str


def adapt(name: str, given: Tensor, wanted: Tensor, *, stem: bool, grid: Size | None) -> Adapted | None:
    """The tensor adapted to the model's shape; None if that is not possible.

    Args:
        name: Our name of the tensor.
        given: The tensor in the file.
        wanted: The tensor in the model.
        stem: Whether it is the weight of the encoder's first convolution.
        grid: Rows and columns of the model's learned position embedding, if it has one.
    """
    if name.endswith("pos_embed") and grid is not None:
        return _adapt_positions(given, wanted, grid)
    if stem and given.ndim == wanted.ndim == 4 and len(given) == len(wanted):
        return _adapt_stem(given, wanted, patches="patch_embed" in name)
    return None


def _adapt_positions(given: Tensor, wanted: Tensor, grid: Size) -> Adapted | None:
    side = math.isqrt(given.shape[1] - 1) if given.ndim == 3 else 0
    if side * side + 1 != given.shape[1] or given.shape[2] != wanted.shape[2]:
        return None
    resized = resize_positions(given, (side, side), grid)
    return (
        Adapted(resized, f"{side} x {side} -> {grid[0]} x {grid[1]} positions")
        if resized.shape == wanted.shape
        else None
    )


def _adapt_stem(given: Tensor, wanted: Tensor, *, patches: bool) -> Adapted | None:
    steps = []
    kernel = given.float()
    if given.shape[1] != wanted.shape[1]:
        kernel = change_channels(kernel, wanted.shape[1])
        steps.append(f"{given.shape[1]} -> {wanted.shape[1]} channels")
    if patches and given.shape[2:] != wanted.shape[2:]:
        kernel = resize_patches(kernel, (wanted.shape[2], wanted.shape[3]))
        steps.append(f"{given.shape[2]} -> {wanted.shape[2]} pixels a patch")
    return Adapted(kernel, ", ".join(steps)) if kernel.shape == wanted.shape else None


def change_channels(kernel: Float[Tensor, "O I h w"], channels: int) -> Float[Tensor, "O C h w"]:
    """The first convolution for images with another number of channels; its output has about the same magnitude.

    For one channel, the old kernels are summed, which equals repeating the grey image. For several channels, the old
    kernels are repeated in turn and scaled by the ratio of old to new channels.

    Args:
        kernel: The convolution's weight.
        channels: Number of channels C of the image.
    """
    given = kernel.shape[1]
    if channels == 1:
        return kernel.sum(1, keepdim=True)
    repeated = kernel.repeat(1, -(-channels // given), 1, 1)[:, :channels]
    return repeated * (given / channels)


def resize_patches(kernel: Float[Tensor, "O I h w"], size: Size) -> Float[Tensor, "O I H W"]:
    """The patch projection for another patch size; its output is similar if the image is resized in the same ratio.

    Args:
        kernel: The projection's weight.
        size: Height and width of the new patches, in pixels.

    Source:
        Beyer et al. 2023, FlexiViT, section 3.4 (arXiv:2212.08013): the pseudo-inverse of the resizing.
    """
    old = (kernel.shape[2], kernel.shape[3])
    basis = torch.eye(old[0] * old[1]).view(-1, 1, *old)  # one image per pixel, with that pixel set
    resized = F.interpolate(basis, size=size, mode="bicubic", align_corners=False, antialias=True)
    back = torch.linalg.pinv(resized.flatten(1))  # (H W, h w)
    moved: Tensor = kernel.flatten(2) @ back.mT
    return moved.view(*kernel.shape[:2], *size)
