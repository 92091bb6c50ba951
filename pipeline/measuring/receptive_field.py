"""Theoretical and effective receptive field of an encoder."""

from __future__ import annotations

import copy

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor, nn

START = 512  # pixels; where this is too short, the whole limit is looked at
NARROW = 32  # the other side of the strip that is looked at
SHARE = 0.0455  # of the peak: two standard deviations of a bell curve


def theoretical_reach(encoder: nn.Module, limit: int) -> int | None:
    """Pixels across, over which the image can change the encoder's last feature at one position; None: `limit` or more.

    The weights are moved a little, so that a branch which starts at zero counts; the larger of height and width.
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
        image = torch.randn(1, 3, *size, generator=generator, dtype=torch.double)
        touched = _gradient(encoder, image).abs().amax(dim=(0, 1, 5 - axis)).nonzero().flatten()
        if len(touched) and touched[0] > 0 and touched[-1] < length - 1:
            return int(touched[-1] - touched[0]) + 1
    return None


def _gradient(encoder: nn.Module, image: Tensor) -> Float[Tensor, "B C H W"]:
    """Of the last feature's middle, summed over channels, by the image."""
    image = image.clone().requires_grad_()
    with torch.enable_grad():
        feature = encoder(image)[-1]
        middle = feature[..., feature.shape[2] // 2, feature.shape[3] // 2].float().sum()
        (gradient,) = torch.autograd.grad(middle, image)
    return gradient


def effective_map(encoder: nn.Module, images: Float[Tensor, "B C H W"]) -> NDArray[np.float32]:
    """How strongly each pixel changes the encoder's last feature in the middle, on average over images, 0 to 1.

    Source:
        Luo et al. 2016, Understanding the effective receptive field (arXiv:1701.04128).
    """
    training = encoder.training
    encoder.eval()
    strength = torch.stack([_gradient(encoder, image[None]).abs().sum((0, 1)) for image in images]).mean(0)
    encoder.train(training)
    return (strength / strength.max().clamp(min=torch.finfo(strength.dtype).tiny)).cpu().float().numpy()


def effective_reach(strength: NDArray[np.float32]) -> float:
    """Side, in pixels, of a square as large as the area that matters: at least 4.55 % of the strongest."""
    return float(np.sqrt((strength >= SHARE).sum()))
