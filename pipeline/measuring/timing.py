"""Times of several networks, taken in turn, so that a noisy machine is as unfair to all of them."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch

Work = Callable[[], object]


@dataclass(frozen=True)
class Times:
    """Of one network.

    Attributes:
        seconds: The median.
        ratio: The median of its ratios to the first network, round by round.
        spread: Quartiles of those ratios.
    """

    seconds: float
    ratio: float
    spread: tuple[float, float]


def time_in_turn(works: Mapping[str, Work], *, rounds: int, warm_up: int = 2) -> dict[str, Times]:
    """Run each piece of work once a round, A B C A B C ..., and compare each with the first of its round.

    Args:
        works: What to run, by name; the first is what the others are compared with.
        rounds: How often; at least 1.
        warm_up: Rounds before, that do not count.
    """
    measured: dict[str, list[float]] = {name: [] for name in works}
    for number in range(warm_up + rounds):
        for name, work in works.items():
            seconds = _time(work)
            if number >= warm_up:
                measured[name].append(seconds)
    first = measured[next(iter(works))]
    return {name: _summarise(times, first) for name, times in measured.items()}


def _summarise(times: Sequence[float], first: Sequence[float]) -> Times:
    ratios = [time / reference for time, reference in zip(times, first, strict=True)]
    low, _, high = statistics.quantiles(ratios, n=4) if len(ratios) > 1 else ratios * 3
    return Times(statistics.median(times), statistics.median(ratios), (low, high))


def _time(work: Work) -> float:
    _finish()
    started = time.perf_counter()
    work()
    _finish()
    return time.perf_counter() - started


def _finish() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
