"""The factorisation against a plain loop over numbers."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from foveate.plugins.ops.nmf import EPSILON, factorise, factorise_plain


def factors(batch: int = 2, places: int = 12, width: int = 6, rank: int = 3) -> tuple[Tensor, Tensor]:
    return torch.rand(batch, places, width), F.normalize(torch.rand(batch, width, rank), dim=1)


def factorise_slowly(x: np.ndarray, bases: np.ndarray, steps: int) -> np.ndarray:
    """One image in float64, entry by entry as in the paper."""

    def update(factor: np.ndarray, top: np.ndarray, bottom: np.ndarray) -> np.ndarray:
        return np.array(
            [
                [f * t / (b + EPSILON) for f, t, b in zip(*rows, strict=True)]
                for rows in zip(factor, top, bottom, strict=True)
            ]
        )

    scores = np.exp(x @ bases)
    c = scores / scores.sum(1, keepdims=True)
    for _ in range(steps):
        c = update(c, x @ bases, c @ (bases.T @ bases))
        bases = update(bases, x.T @ c, bases @ (c.T @ c))
    c = update(c, x @ bases, c @ (bases.T @ bases))
    rebuilt: np.ndarray = c @ bases.T
    return rebuilt


@pytest.mark.parametrize("steps", [0, 1, 6, 7])
def test_it_equals_a_plain_loop(steps: int) -> None:
    x, bases = factors()
    rebuilt = factorise(x, bases, steps=steps)
    for image in range(2):
        wanted = factorise_slowly(x[image].double().numpy(), bases[image].double().numpy(), steps)
        torch.testing.assert_close(rebuilt[image].double(), torch.from_numpy(wanted), atol=1e-5, rtol=1e-5)


def test_more_steps_rebuild_better() -> None:
    x, bases = factors(places=40)
    errors = [(factorise(x, bases, steps=steps) - x).norm().item() for steps in (0, 2, 8)]
    assert errors == sorted(errors, reverse=True)


def test_features_of_the_rank_are_rebuilt_nearly() -> None:
    x = torch.rand(1, 40, 3) @ torch.rand(1, 3, 6)
    rebuilt = factorise(x, factors(1)[1], steps=400)
    assert (rebuilt - x).norm() < 0.02 * x.norm()


@pytest.mark.parametrize("scale", [1.0, 1000.0, 0.0])
def test_autocast_stays_finite_and_in_float32(scale: float) -> None:
    x, bases = factors(width=256, rank=16)
    with torch.autocast("cpu", torch.bfloat16):
        rebuilt = factorise((x * scale).bfloat16(), bases, steps=7)
    assert rebuilt.dtype == torch.float32
    assert rebuilt.isfinite().all()
    torch.testing.assert_close(rebuilt, factorise((x * scale).bfloat16().float(), bases, steps=7))


def test_gradients_flow_through_every_step() -> None:
    inputs = [tensor.double().requires_grad_() for tensor in factors(1, 5, 4, 2)]

    def error(*inputs: Tensor) -> Tensor:
        return factorise(*inputs, steps=3).double().pow(2).sum()

    gradients = torch.autograd.grad(error(*inputs), inputs)
    step = 1e-3  # the factorisation runs in float32
    for index, gradient in enumerate(gradients):
        direction = torch.randn(gradient.shape, dtype=torch.float64)
        ends = [
            error(*(t + sign * step * direction if i == index else t for i, t in enumerate(inputs))) for sign in (1, -1)
        ]
        slope = (ends[0] - ends[1]) / (2 * step)
        torch.testing.assert_close((gradient * direction).sum(), slope, atol=1e-2, rtol=1e-2)


@pytest.mark.parametrize("steps", [0, 1, 6])
def test_its_gradient_equals_that_of_autograd(steps: int) -> None:
    x, bases = factors(places=30)
    grad = torch.randn(2, 30, 6)
    x.requires_grad_()
    (got,) = torch.autograd.grad(factorise(x, bases, steps=steps), x, grad)
    (wanted,) = torch.autograd.grad(factorise_plain(x, bases, steps=steps), x, grad)
    torch.testing.assert_close(got, wanted, rtol=1e-4, atol=1e-5)


def test_bases_that_learn_get_their_gradient() -> None:
    x, bases = factors()
    bases.requires_grad_()
    (grad,) = torch.autograd.grad(factorise(x, bases, steps=2).square().sum(), bases)
    assert grad.any()
