"""Non-negative matrix factorisation by multiplicative updates."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from foveate.plugins.ops.precision import without_autocast

EPSILON = 1e-6


def factorise(x: Float[Tensor, "B N D"], bases: Float[Tensor, "B D R"], *, steps: int) -> Float[Tensor, "B N D"]:
    """Rebuild non-negative features from a few bases that are fitted to them, in float32.

    Gradients flow through every step. float16 would overflow in the products, so autocast is left outside.

    Args:
        x: N features of width D for each image, none negative.
        bases: Where the R bases start, non-negative, of unit length over D.
        steps: Updates of coefficients and bases; one more of the coefficients follows.

    Returns:
        The product of coefficients and bases, float32.

    Source:
        Geng et al. 2021, Is Attention Better Than Matrix Decomposition?, section 2.2.2 (arXiv:2109.04553).
    """
    with without_autocast(x.device):
        x, bases = x.float(), bases.float()
        coefficients = torch.softmax(x @ bases, dim=-1)
        for _ in range(steps):
            coefficients = _update_coefficients(x, bases, coefficients)
            bases = _update_bases(x, bases, coefficients)
        coefficients = _update_coefficients(x, bases, coefficients)
        return coefficients @ bases.mT


def _update_coefficients(x: Tensor, bases: Tensor, coefficients: Tensor) -> Tensor:
    return coefficients * (x @ bases) / (coefficients @ (bases.mT @ bases) + EPSILON)


def _update_bases(x: Tensor, bases: Tensor, coefficients: Tensor) -> Tensor:
    return bases * (x.mT @ coefficients) / (bases @ (coefficients.mT @ coefficients) + EPSILON)
