"""Work on many items at once, in order, with a bounded number of results waiting."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")
WAITING = 8  # results for each thread


def in_parallel(
    work: Callable[[Item], Result], items: Iterable[Item], threads: int | None = None, seconds: float | None = None
) -> Iterator[Result]:
    """The result of each item, in order. Threads do: decoders, OpenCV and hashes let each other run.

    Args:
        work: What is done with an item.
        items: The items, which are asked for one after the other.
        threads: How many; one for each core if not given.
        seconds: No further items are begun after that time.
    """
    count = threads or os.cpu_count() or 1
    end = None if seconds is None else time.monotonic() + seconds
    waiting: deque[Future[Result]] = deque()
    with ThreadPoolExecutor(count) as pool:
        for item in items:
            if end is not None and time.monotonic() > end:
                break
            waiting.append(pool.submit(work, item))
            if len(waiting) >= WAITING * count:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
