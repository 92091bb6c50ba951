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
        coefficients = _update_coefficients(x, bases, coefficients)
        bases = _update_bases(x, bases, coefficients)
    coefficients = _update_coefficients(x, bases, coefficients)
    return coefficients @ bases.mT


def _update_coefficients(x: Tensor, bases: Tensor, coefficients: Tensor) -> Tensor:
    return coefficients * (x @ bases) / (coefficients @ (bases.mT @ bases) + EPSILON)


def _update_bases(x: Tensor, bases: Tensor, coefficients: Tensor) -> Tensor:
    return bases * (x.mT @ coefficients) / (bases @ (coefficients.mT @ coefficients) + EPSILON)


class _Factorisation(torch.autograd.Function):
    """The way back by hand.

    Each step adds a thin product to the gradient of the features. Autograd would make each at full width and add it up;
    here their factors are put side by side and multiplied once.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, bases: Tensor, steps: int) -> Tensor:
        coefficients = torch.softmax(x @ bases, dim=-1)
        history = [coefficients, bases]
        for _ in range(steps):
            coefficients = _update_coefficients(x, bases, coefficients)
            bases = _update_bases(x, bases, coefficients)
            history += [coefficients, bases]
        coefficients = _update_coefficients(x, bases, coefficients)
        ctx.save_for_backward(x, coefficients, *history)
        return coefficients @ bases.mT

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        with without_autocast(grad.device):  # some call it inside
            return _gradient(grad, *ctx.saved_tensors), None, None


def _gradient(grad: Tensor, x: Tensor, last: Tensor, *history: Tensor) -> Tensor:
    """Of the features; `history` holds the coefficients and bases of each step, `last` the last coefficients."""
    bases = history[-1]
    factors = _Factors()
    to_bases = grad.mT @ last
    to_coefficients, more = _back_through_update(x, bases, history[-2], last, grad @ bases, factors.of_products)
    to_bases = to_bases + more
    for at in range(len(history) - 2, 0, -2):
        coefficients, before, start = history[at], history[at - 2], history[at - 1]
        to_start, more = _back_through_update(x.mT, coefficients, start, history[at + 1], to_bases, factors.of_turned)
        to_coefficients, to_bases = _back_through_update(
            x, start, before, coefficients, to_coefficients + more, factors.of_products
        )
        to_bases = to_bases + to_start
    first = history[0]
    to_scores = first * (to_coefficients - (to_coefficients * first).sum(-1, keepdim=True))  # softmax
    factors.of_products(to_scores, history[1])
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
    x: Tensor, other: Tensor, before: Tensor, after: Tensor, grad: Tensor, keep: Any
) -> tuple[Tensor, Tensor]:
    """Gradients of `before` and `other`, of `after = before * (x @ other) / (before @ (other.mT @ other) + EPSILON)`.

    Args:
        x: The features, or turned if the bases are updated.
        other: What stays in the update.
        before: What is updated.
        after: What came out.
        grad: Its gradient.
        keep: Takes the gradient of `x @ other`, and `other`.
    """
    overlap = other.mT @ other
    ratio = grad / (before @ overlap + EPSILON)
    to_product, to_sum = ratio * before, -ratio * after
    keep(to_product, other)
    to_before = ratio * (x @ other) + to_sum @ overlap
    to_overlap = before.mT @ to_sum
    to_other = x.mT @ to_product + other @ (to_overlap + to_overlap.mT)
    return to_before, to_other
