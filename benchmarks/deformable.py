"""Table row: a training step of modulated deformable convolution."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from foveate.benchmarks.pairing import alternate
from foveate.benchmarks.results import Goal, Result, Settings
from foveate.plugins.ops.deformable import deformable_conv
from foveate.plugins.ops.eager import plain_operators

SIZE, TAPS = (2, 64, 64, 64), 9


def run(settings: Settings) -> Result:
    """torchvision's operator and ours, forward and backward pass, after a look whether they agree."""
    torch.set_num_threads(settings.threads)
    given = made()

    def theirs() -> list[Tensor]:
        with plain_operators():
            return step(given)

    candidates: dict[str, Callable[[], list[Tensor]]] = {"torchvision": theirs, "ours": lambda: step(given)}
    for own, other in zip(step(given), theirs(), strict=True):
        torch.testing.assert_close(own, other, rtol=1e-3, atol=1e-3)
    seconds = alternate(candidates, rounds=settings.times(30))
    what = (
        f"Forward and backward pass of a 3 x 3 kernel on {' x '.join(map(str, SIZE))} features in float32, "
        "channels_last, with offsets of a standard deviation of two positions; all gradients. torchvision's operator "
        "is given the same tensors."
    )
    goals = [Goal("deformable convolution, step", "torchvision", "ours", 3.0)]
    return Result("deformable", "Deformable convolution", what, seconds, goals)


def made() -> list[Tensor]:
    """Features, offsets, kernel, bias and modulation, all to be learned."""
    torch.manual_seed(0)
    batch, channels, height, width = SIZE
    given = [
        torch.randn(SIZE).to(memory_format=torch.channels_last),
        2 * torch.randn(batch, 2 * TAPS, height, width),
        torch.randn(channels, channels, 3, 3) / 3 / channels**0.5,
        torch.randn(channels),
        torch.rand(batch, TAPS, height, width),
    ]
    return [one.requires_grad_() for one in given]


def step(given: list[Tensor]) -> list[Tensor]:
    """The gradients of all that is given."""
    out = deformable_conv(*given, (1, 1), (1, 1))
    return list(torch.autograd.grad(out.square().sum(), given))
