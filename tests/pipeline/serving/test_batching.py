"""Batches of what several threads hand in."""

from __future__ import annotations

import threading
import time

import pytest

from foveate.pipeline.serving.batching import Batcher


def test_what_arrives_during_a_batch_is_the_next_one_by_kind() -> None:
    started, goes_on, batches = threading.Event(), threading.Event(), []

    def apply(items: list[int]) -> list[int]:
        batches.append(list(items))
        started.set()
        assert goes_on.wait(5)
        return [item * 10 for item in items]

    batcher = Batcher(apply, batch=3, wait=0.0)
    first = batcher.submit(0, "a")
    assert started.wait(5)
    later = [batcher.submit(item, "ab"[item % 2]) for item in range(1, 8)]
    goes_on.set()
    assert [future.result(5) for future in (first, *later)] == [0, 10, 20, 30, 40, 50, 60, 70]
    assert batches == [[0], [1, 3, 5], [2, 4, 6], [7]]
    batcher.close()


def test_a_lone_item_waits_for_others_so_long() -> None:
    sizes: list[int] = []
    batcher = Batcher(lambda items: items, batch=2, wait=10.0, told=sizes.append)
    start = time.monotonic()
    both = [batcher.submit(item, None) for item in (1, 2)]
    assert [future.result(5) for future in both] == [1, 2]
    assert sizes == [2]
    assert time.monotonic() - start < 5
    batcher.close()


def test_an_error_is_only_of_the_item_that_causes_it() -> None:
    started, goes_on = threading.Event(), threading.Event()

    def invert(items: list[int]) -> list[float]:
        started.set()
        assert goes_on.wait(5)
        return [1 / item for item in items]

    batcher = Batcher(invert, batch=4, wait=0.0)
    futures = [batcher.submit(1, None)]
    assert started.wait(5)
    futures += [batcher.submit(item, None) for item in (2, 0, 4)]
    goes_on.set()
    assert [futures[place].result(5) for place in (0, 1, 3)] == [1, 0.5, 0.25]
    assert isinstance(futures[2].exception(5), ZeroDivisionError)
    batcher.close()


def test_closing_answers_what_waits_and_takes_no_more() -> None:
    batcher = Batcher(lambda items: (time.sleep(0.02), items)[1], batch=1, wait=5.0)
    futures = [batcher.submit(item, None) for item in range(4)]
    futures[2].cancel()
    batcher.close()
    assert [future.result(0) for future in futures if not future.cancelled()] == [0, 1, 3]
    with pytest.raises(RuntimeError, match="closed"):
        batcher.submit(5, None)
