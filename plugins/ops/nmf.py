"""Non-negative matrix factorisation by multiplicative updates."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

from foveate.plugins.ops.eager import is_eager
from foveate.plugins.ops.precision import without_autocast

EPSILON = 1e-6


def factorise(x: Float[Tensor, "B N D"], bases: Float[Tensor, "B D R"], *, steps: int) -> Float[Tensor, "B N D"]:
    """Approximate non-negative features by a few bases that are fitted to them, in float32.

    The gradient of the features goes through every step. The initial bases get no gradient, and there are no second
    derivatives. Autocast is disabled, since the products would overflow in float16.

    Args:
        x: N non-negative features with D channels per image.
        bases: R initial bases, non-negative, of unit length over D.
        steps: Number of updates of coefficients and bases; one more update of the coefficients follows.

    Returns:
        The product of coefficients and bases, in float32.

    Source:
        Geng et al. 2021, Is Attention Better Than Matrix Decomposition?, section 2.2.2 (arXiv:2109.04553).
    """
    with without_autocast(x.device):
        x, bases = x.float(), bases.float()
        if torch.is_grad_enabled() and x.requires_grad and not bases.requires_grad and is_eager():
            rebuilt: Tensor = _Factorisation.apply(x, bases, steps)
            return rebuilt
        return factorise_plain(x, bases, steps=steps)


def factorise_plain(x: Float[Tensor, "B N D"], bases: Float[Tensor, "B D R"], *, steps: int) -> Float[Tensor, "B N D"]:
    """The reference: the same for float32, with the backward pass by autograd."""
    coefficients = torch.softmax(x @ bases, dim=-1)
    for _ in range(steps):
        coefficients = _update(coefficients, x @ bases, bases)
        bases = _update(bases, x.mT @ coefficients, coefficients)
    coefficients = _update(coefficients, x @ bases, bases)
    return coefficients @ bases.mT


class _Factorisation(torch.autograd.Function):
    """Hand-written backward pass.

    Each step adds a low-rank product to the gradient of the features. Autograd would compute each as a full matrix and
    sum them; here their factors are concatenated and multiplied once. The products of the features with coefficients
    and bases are small, so they are saved for the backward pass.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, bases: Tensor, steps: int) -> Tensor:
        coefficients = torch.softmax(x @ bases, dim=-1)
        history = [coefficients, bases]
        for _ in range(steps):
            product = x @ bases
            coefficients = _update(coefficients, product, bases)
            turned = _turned_product(x, coefficients)
            bases = _update(bases, turned, coefficients)
            history += [product, coefficients, turned, bases]
        product = x @ bases
        coefficients = _update(coefficients, product, bases)
        ctx.save_for_backward(x, product, coefficients, *history)
        return coefficients @ bases.mT

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        with without_autocast(grad.device):  # backward may be called inside autocast
            return _gradient(grad, *ctx.saved_tensors), None, None


def _update(what: Tensor, product: Tensor, other: Tensor) -> Tensor:
    return what * product / (what @ (other.mT @ other) + EPSILON)


def _turned_product(x: Tensor, other: Tensor) -> Tensor:
    """`x.mT @ other`; computed in this order it takes three quarters of the time."""
    return (other.mT @ x).mT.contiguous()


def _gradient(grad: Tensor, x: Tensor, product: Tensor, last: Tensor, *history: Tensor) -> Tensor:
    """Gradient of the features. `history` holds the initial coefficients and bases, then for each step the product
    with the features and the updated coefficients, and the product and the updated bases. `product` and `last` are
    those of the last update of the coefficients."""
    first, start, *steps = history
    factors = _Factors()
    bases = history[-1]
    before = history[-3] if steps else first
    to_last = grad @ bases
    to_before, to_other, to_product = _back_through_update(product, bases, before, last, to_last)
    factors.of_products(to_product, bases)
    to_coefficients = to_before
    to_bases = _turned_product(grad, last) + to_other + _turned_product(x, to_product)
    for at in range(len(steps) - 4, -1, -4):
        product, coefficients, turned, bases = steps[at : at + 4]
        coefficients_before, bases_before = (steps[at - 3], steps[at - 1]) if at else (first, start)
        to_start, to_other, to_turned = _back_through_update(turned, coefficients, bases_before, bases, to_bases)
        factors.of_turned(to_turned, coefficients)
        to_coefficients = to_coefficients + to_other + x @ to_turned
        to_coefficients, to_other, to_product = _back_through_update(
            product, bases_before, coefficients_before, coefficients, to_coefficients
        )
        factors.of_products(to_product, bases_before)
        to_bases = to_start + to_other + _turned_product(x, to_product)
    to_scores = first * (to_coefficients - (to_coefficients * first).sum(-1, keepdim=True))  # softmax
    factors.of_products(to_scores, start)
    return factors.product()


class _Factors:
    """Pairs of factors (N, R) and (D, R); the sum of their products is the gradient of the features."""

    def __init__(self) -> None:
        self.left: list[Tensor] = []
        self.right: list[Tensor] = []

    def of_products(self, grad: Tensor, bases: Tensor) -> None:
        """Add the gradient through `x @ bases`."""
        self.left.append(grad)
        self.right.append(bases)

    def of_turned(self, grad: Tensor, coefficients: Tensor) -> None:
        """Add the gradient through `x.mT @ coefficients`."""
        self.of_products(coefficients, grad)

    def product(self) -> Float[Tensor, "B N D"]:
        """The sum of all products."""
        return torch.cat(self.left, -1) @ torch.cat(self.right, -1).mT


def _back_through_update(
    product: Tensor, other: Tensor, before: Tensor, after: Tensor, grad: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Backward pass of `after = before * product / (before @ (other.mT @ other) + EPSILON)`.

    Args:
        product: Product of the features with `other`.
        other: The factor that this update does not change.
        before: The factor before the update.
        after: The factor after the update.
        grad: Gradient of `after`.
    """
    overlap = other.mT @ other
    ratio = grad / (before @ overlap + EPSILON)
    to_product, to_sum = ratio * before, -ratio * after
    to_before = ratio * product + to_sum @ overlap
    to_overlap = before.mT @ to_sum
    return to_before, other @ (to_overlap + to_overlap.mT), to_product
