"""Times of engines taken in turn, and the machine's own measure to hold them against."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch

Work = Callable[[], object]
SIDE = 1536  # of the square matrices
PRODUCTS = 7


@dataclass(frozen=True)
class Latency:
    """Of one call.

    Attributes:
        median: Seconds.
        quartiles: Seconds.
    """

    median: float
    quartiles: tuple[float, float]


def summarise(seconds: Sequence[float]) -> Latency:
    """Median and quartiles.

    Example:
        >>> summarise([3.0, 1.0, 2.0])
        Latency(median=2.0, quartiles=(1.0, 3.0))
    """
    low, _, high = statistics.quantiles(seconds, n=4) if len(seconds) > 1 else [seconds[0]] * 3
    return Latency(statistics.median(seconds), (low, high))


def time_all(works: Mapping[str, Work], *, rounds: int, tell: Callable[[str], None]) -> dict[str, Latency]:
    """Run each piece of work once a round, so that a noisy machine is as unfair to all; a first round does not count.

    Args:
        works: What to run, by name.
        rounds: How often each is timed.
        tell: Told how far it is.
    """
    measured: dict[str, list[float]] = {name: [] for name in works}
    for number in range(rounds + 1):
        tell(f"round {number} of {rounds}" if number else "first calls")
        for name, work in works.items():
            seconds = time_once(work)
            if number:
                measured[name].append(seconds)
    return {name: summarise(seconds) for name, seconds in measured.items()}


def time_once(work: Work) -> float:
    """Seconds of a call, to the end of what it started on a GPU."""
    _finish()
    started = time.perf_counter()
    work()
    _finish()
    return time.perf_counter() - started


def measure_peak(dtype: torch.dtype, device: torch.device) -> float:
    """Multiply-adds a second in the best of a few products of square matrices."""
    left, right = (torch.randn(SIDE, SIDE, device=device).to(dtype) for _ in range(2))
    with torch.inference_mode():
        return SIDE**3 / min(time_once(lambda: left @ right) for _ in range(PRODUCTS))


def _finish() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
