"""Times candidates in turn, so that what slows the machine slows them alike, and compares them round by round."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

Clock = Callable[[], float]
Candidate = Callable[[], object]


@dataclass(frozen=True)
class Ratio:
    """What lies between two candidates.

    Attributes:
        median: Of the ratios of the rounds.
        low: Their lower quartile.
        high: Their upper quartile.
    """

    median: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.median:.2f} ({self.low:.2f}-{self.high:.2f})"


def alternate(
    candidates: Mapping[str, Candidate],
    *,
    rounds: int,
    warmup: int = 2,
    clock: Clock = time.perf_counter,
    after: Candidate | None = None,
) -> dict[str, list[float]]:
    """Seconds of each candidate in each round: A B C A B C ...

    Args:
        candidates: What is timed, by name.
        rounds: How often each is timed.
        warmup: Rounds before, which are not counted: kernels are chosen and memory is fetched there.
        clock: Seconds since some time.
        after: Called after each candidate, within its time, such as a wait for a device.
    """
    seconds: dict[str, list[float]] = {name: [] for name in candidates}
    for turn in range(-warmup, rounds):
        for name, call in candidates.items():
            taken = _seconds(call, clock, after)
            if turn >= 0:
                seconds[name].append(taken)
    return seconds


def _seconds(call: Candidate, clock: Clock, after: Candidate | None) -> float:
    started = clock()
    call()
    if after is not None:
        after()
    return clock() - started


def ratio(over: Sequence[float], under: Sequence[float]) -> Ratio:
    """How many times `over` is `under`, from figures of the same rounds.

    Example:
        >>> str(ratio([4.0, 9.0, 4.0], [2.0, 3.0, 2.0]))
        '2.00 (2.00-2.50)'
    """
    each = [a / b for a, b in zip(over, under, strict=True)]
    if len(each) == 1:
        return Ratio(each[0], each[0], each[0])
    low, median, high = statistics.quantiles(each, n=4, method="inclusive")
    return Ratio(median, low, high)


def fastest(candidates: Mapping[str, Candidate], *, rounds: int = 3, clock: Clock = time.perf_counter) -> str:
    """The candidate of the smallest median, to find somebody's best setting."""
    seconds = alternate(candidates, rounds=rounds, warmup=1, clock=clock)
    return min(seconds, key=lambda name: statistics.median(seconds[name]))
