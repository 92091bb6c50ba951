"""What the machine can do at most: matrix products and copies, to count a figure against."""

from __future__ import annotations

import statistics
from collections.abc import Callable

import torch
from torch import Tensor

from foveate.benchmarks.pairing import alternate
from foveate.benchmarks.results import Goal, Result, Settings

SIDE = 2048  # of the square matrices
COPIED = 256 * 2**20  # bytes; far beyond what caches near a core hold


def run(settings: Settings) -> Result:
    """Measured peaks, each as the rate of every round."""
    torch.set_num_threads(settings.threads)
    operations = 2 * SIDE**3
    float32, bf16 = products(torch.float32, settings.device), products(torch.bfloat16, settings.device)
    candidates = {"float32 product": float32, "bf16 product": bf16, "copy": copies(settings.device)}
    seconds = alternate(candidates, rounds=settings.times(15), after=waiter(settings.device))
    figures = {f"{name}, GFLOP/s": [operations / s / 1e9 for s in seconds[name]] for name in list(candidates)[:2]}
    figures["copy, GB/s read and written"] = [2 * COPIED / s / 1e9 for s in seconds["copy"]]
    goals: list[Goal] = []
    what = f"Square matrices of {SIDE}, and a copy of {COPIED // 2**20} MiB, {settings.threads} threads."
    return Result("peaks", "What the machine can do", what, figures, goals, unit="rate")


def products(dtype: torch.dtype, device: str) -> Callable[[], Tensor]:
    """A product of two square matrices."""
    left, right = (torch.randn(SIDE, SIDE, device=device).to(dtype) for _ in range(2))
    return lambda: left @ right


def copies(device: str) -> Callable[[], Tensor]:
    """A copy from one place in memory to another."""
    source = torch.zeros(COPIED, dtype=torch.uint8, device=device)
    target = torch.ones_like(source)
    return lambda: target.copy_(source)


def waiter(device: str) -> Callable[[], object] | None:
    """What waits for a device to finish; None where nothing runs behind one's back."""
    return torch.cuda.synchronize if device == "cuda" else None


def typical(result: Result) -> dict[str, float]:
    """The median of each rate."""
    return {name: statistics.median(values) for name, values in result.figures.items()}
