"""The time of a block's step: of the processor, in turn with the empty slot's."""

from __future__ import annotations

import time

import pytest

from foveate.pipeline.leaderboard import costs
from foveate.pipeline.leaderboard.costs import processor_times


def test_times_alternate_and_the_first_round_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, called = [0.0], []
    monkeypatch.setattr(costs.time, "process_time", lambda: clock[0])

    def work(name: str, seconds: float) -> None:
        called.append(name)
        clock[0] += seconds + (10 if len(called) <= 2 else 0)

    times = processor_times(lambda: work("none", 2.0), lambda: work("se", 3.0), rounds=3)
    assert called == ["none", "se"] * 4
    assert (times.median, times.ratio) == (pytest.approx(3.0), pytest.approx(1.5))


def test_waiting_is_not_counted() -> None:
    times = processor_times(lambda: sum(range(200_000)), lambda: time.sleep(0.05), rounds=1)
    assert times.ratio < 1
