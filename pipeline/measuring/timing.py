"""Timing of several functions in turn, so that noise of the machine affects all alike; and the machine's peak speed."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch

Work = Callable[[], object]
SIDE = 1536  # rows and columns of the square matrices
PRODUCTS = 7


@dataclass(frozen=True)
class Times:
    """Times of one function.

    Attributes:
        median: Median time of a call, in seconds.
        quartiles: Lower and upper quartile, in seconds.
        ratio: Median of the ratios to the time of the first function in the same round.
        ratio_quartiles: Quartiles of those ratios.
    """

    median: float
    quartiles: tuple[float, float]
    ratio: float
    ratio_quartiles: tuple[float, float]


def time_in_turn(
    works: Mapping[str, Work], *, rounds: int, warm_up: int = 1, tell: Callable[[str], None] = lambda _: None
) -> dict[str, Times]:
    """Run each function once per round, A B C A B C ..., and compare each time with that of the first in its round.

    Args:
        works: The functions, by name; the first one is the reference of the ratios.
        rounds: Number of timed rounds; at least 1.
        warm_up: Number of rounds before, which are not timed.
        tell: Called with a short progress text before each round.
    """
    measured: dict[str, list[float]] = {name: [] for name in works}
    for number in range(1 - warm_up, rounds + 1):
        tell(f"round {number} of {rounds}" if number > 0 else "first calls")
        for name, work in works.items():
            seconds = time_once(work)
            if number > 0:
                measured[name].append(seconds)
    first = measured[next(iter(works))]
    return {name: summarise(times, first) for name, times in measured.items()}


def summarise(times: Sequence[float], first: Sequence[float]) -> Times:
    """Medians and quartiles.

    Args:
        times: Seconds in each round.
        first: Seconds of the reference in the same rounds.

    Example:
        >>> summarise([3.0, 1.0, 2.0], [1.0, 1.0, 1.0])
        Times(median=2.0, quartiles=(1.0, 3.0), ratio=2.0, ratio_quartiles=(1.0, 3.0))
    """
    ratios = [seconds / max(reference, 1e-9) for seconds, reference in zip(times, first, strict=True)]
    return Times(statistics.median(times), _quartiles(times), statistics.median(ratios), _quartiles(ratios))


def _quartiles(values: Sequence[float]) -> tuple[float, float]:
    low, _, high = statistics.quantiles(values, n=4) if len(values) > 1 else [values[0]] * 3
    return low, high


def time_once(work: Work) -> float:
    """Seconds of a call, including the work that it starts on a GPU."""
    _finish()
    started = time.perf_counter()
    work()
    _finish()
    return time.perf_counter() - started


def measure_peak(dtype: torch.dtype, device: torch.device) -> float:
    """Peak multiply-adds per second: those of the fastest of a few products of square matrices."""
    left, right = (torch.randn(SIDE, SIDE, device=device).to(dtype) for _ in range(2))
    with torch.inference_mode():
        return SIDE**3 / min(time_once(lambda: left @ right) for _ in range(PRODUCTS))


def _finish() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
