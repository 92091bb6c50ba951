"""Theoretical and effective receptive field of an encoder."""

from __future__ import annotations

import copy

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor, nn

from foveate.pipeline.models.channels import image_channels

START = 512  # pixels of a first attempt; if the receptive field is larger, the whole limit is examined
Pixel = tuple[int, int]  # row and column, or height and width
NARROW = 32  # pixels of the other side of the strip that is examined
SHARE = 0.0455  # of the largest influence: 1 - 95.45 %, two standard deviations of a normal distribution (Luo et al.)


def theoretical_reach(encoder: nn.Module, limit: int) -> int | None:
    """Theoretical receptive field of one position of the encoder's last feature, in pixels; None: `limit` or more.

    It is the larger of its height and width. Small random numbers are added to the weights, so that branches whose
    weights are initialised to zero count too.
    """
    moved = _jittered(encoder)
    reaches = [_reach_along(moved, axis, limit) for axis in (2, 3)]
    return None if None in reaches else max(reach for reach in reaches if reach is not None)


def _jittered(encoder: nn.Module) -> nn.Module:
    moved = copy.deepcopy(encoder).cpu().double().eval()
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in moved.parameters():
            scale = parameter.abs().mean().item() or 0.1
            parameter.add_(0.3 * scale * torch.randn(parameter.shape, generator=generator, dtype=torch.double))
    return moved


def _reach_along(encoder: nn.Module, axis: int, limit: int) -> int | None:
    for length in sorted({min(START, limit), limit}):
        size = (length, NARROW) if axis == 2 else (NARROW, length)
        generator = torch.Generator().manual_seed(0)
        image = torch.randn(1, image_channels(encoder), *size, generator=generator, dtype=torch.double)
        touched = _gradient(encoder, image).abs().amax(dim=(0, 1, 5 - axis)).nonzero().flatten()
        if len(touched) and touched[0] > 0 and touched[-1] < length - 1:
            return int(touched[-1] - touched[0]) + 1
    return None


def _gradient(encoder: nn.Module, image: Tensor, at: Pixel | None = None) -> Float[Tensor, "B C H W"]:
    """Gradient of the last feature at a pixel or in the centre, summed over channels, with respect to the image."""
    image = image.clone().requires_grad_()
    with torch.enable_grad():
        feature = encoder(image)[-1]
        row, column = position_of(at, (image.shape[2], image.shape[3]), (feature.shape[2], feature.shape[3]))
        (gradient,) = torch.autograd.grad(feature[..., row, column].float().sum(), image)
    return gradient


def position_of(at: Pixel | None, size: Pixel, grid: Pixel) -> Pixel:
    """Row and column of a feature map at a pixel of the image.

    Args:
        at: Row and column of the pixel; the centre if None.
        size: Height and width of the image.
        grid: Height and width of the feature map.

    Example:
        >>> position_of((40, 95), (64, 96), (2, 3)), position_of(None, (64, 96), (2, 3))
        ((1, 2), (1, 1))
    """
    if at is None:
        return grid[0] // 2, grid[1] // 2
    return min(at[0] * grid[0] // size[0], grid[0] - 1), min(at[1] * grid[1] // size[1], grid[1] - 1)


def effective_map(encoder: nn.Module, images: Float[Tensor, "B C H W"], at: Pixel | None = None) -> NDArray[np.float32]:
    """Influence of each pixel on the encoder's last feature at one position, averaged over images, in 0-1.

    Args:
        encoder: From images to feature maps.
        images: Normalised images.
        at: Row and column of the pixel at the position; the centre if None.

    Source:
        Luo et al. 2016, Understanding the effective receptive field (arXiv:1701.04128).
    """
    training = encoder.training
    encoder.eval()
    strength = torch.stack([_gradient(encoder, image[None], at).abs().sum((0, 1)) for image in images]).mean(0)
    encoder.train(training)
    return (strength / strength.max().clamp(min=torch.finfo(strength.dtype).tiny)).cpu().float().numpy()


def effective_reach(strength: NDArray[np.float32]) -> float:
    """Side in pixels of a square with the area of the pixels whose influence is at least 4.55 % of the largest."""
    return float(np.sqrt((strength >= SHARE).sum()))
