"""Non-negative matrix factorisation by multiplicative updates."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

from foveate.plugins.ops.precision import without_autocast

EPSILON = 1e-6


def factorise(x: Float[Tensor, "B N D"], bases: Float[Tensor, "B D R"], *, steps: int) -> Float[Tensor, "B N D"]:
    """Rebuild non-negative features from a few bases that are fitted to them, in float32.

    Gradients flow to the features through every step; not to the bases, which are where it starts, and no gradient of
    a gradient. float16 would overflow in the products, so autocast is left outside.

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
        if (
            torch.is_grad_enabled()
            and x.requires_grad
            and not bases.requires_grad
            and not torch.compiler.is_compiling()
        ):
            rebuilt: Tensor = _Factorisation.apply(x, bases, steps)
            return rebuilt
        return factorise_plain(x, bases, steps=steps)


def factorise_plain(x: Float[Tensor, "B N D"], bases: Float[Tensor, "B D R"], *, steps: int) -> Float[Tensor, "B N D"]:
    """The same of float32, with a gradient made by autograd: the reference."""
    coefficients = torch.softmax(x @ bases, dim=-1)
    for _ in range(steps):
        coefficients = _update(coefficients, x @ bases, bases)
        bases = _update(bases, x.mT @ coefficients, coefficients)
    coefficients = _update(coefficients, x @ bases, bases)
    return coefficients @ bases.mT


class _Factorisation(torch.autograd.Function):
    """Hand-written backward pass.

    Each step adds a thin product to the gradient of the features. Autograd would make each at full width and add it up;
    here their factors are put side by side and multiplied once. What each step multiplied the features by is small, so
    those products are kept for the backward pass.
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
        with without_autocast(grad.device):  # some call it inside
            return _gradient(grad, *ctx.saved_tensors), None, None


def _update(what: Tensor, product: Tensor, other: Tensor) -> Tensor:
    return what * product / (what @ (other.mT @ other) + EPSILON)


def _turned_product(x: Tensor, other: Tensor) -> Tensor:
    """`x.mT @ other`; this way round it takes three quarters of the time."""
    return (other.mT @ x).mT.contiguous()


def _gradient(grad: Tensor, x: Tensor, product: Tensor, last: Tensor, *history: Tensor) -> Tensor:
    """Of the features; `history` holds the first coefficients and bases, then of each step both, each after the
    product with the features that it came from; `product` and `last` are those of the last coefficients."""
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
    """Pairs (N, R) and (D, R), the sum of whose products is the gradient of the features."""

    def __init__(self) -> None:
        self.left: list[Tensor] = []
        self.right: list[Tensor] = []

    def of_products(self, grad: Tensor, bases: Tensor) -> None:
        """Of `x @ bases`."""
        self.left.append(grad)
        self.right.append(bases)

    def of_turned(self, grad: Tensor, coefficients: Tensor) -> None:
        """Of `x.mT @ coefficients`."""
        self.of_products(coefficients, grad)

    def product(self) -> Float[Tensor, "B N D"]:
        """The sum."""
        return torch.cat(self.left, -1) @ torch.cat(self.right, -1).mT


def _back_through_update(
    product: Tensor, other: Tensor, before: Tensor, after: Tensor, grad: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients of `before`, of `other` but for its share in the product, and of the product, of
    `after = before * product / (before @ (other.mT @ other) + EPSILON)`.

    Args:
        product: Of the features with `other`.
        other: What stays in the update.
        before: What is updated.
        after: What came out.
        grad: Its gradient.
    """
    overlap = other.mT @ other
    ratio = grad / (before @ overlap + EPSILON)
    to_product, to_sum = ratio * before, -ratio * after
    to_before = ratio * product + to_sum @ overlap
    to_overlap = before.mT @ to_sum
    return to_before, other @ (to_overlap + to_overlap.mT), to_product
