"""Work on many items at once, in threads: decoders, OpenCV and hashes let each other run."""

from __future__ import annotations

import time
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from foveate.datasets.cores import usable_cores

THREADS = 16  # at most, unless said; each holds an image or a label map
WAITING = 8  # results for each thread
Item = TypeVar("Item")
Result = TypeVar("Result")


def in_threads(
    work: Callable[[Item], Result], items: Iterable[Item], *, threads: int | None = None, seconds: float | None = None
) -> Iterator[Result]:
    """The result of each item, in order; a bounded number of results waits.

    Args:
        work: What is done with an item, in any thread.
        items: The items, which are asked for one after the other.
        threads: How many; one for each core if not given, at most 16.
        seconds: No further items are begun after that time.
    """
    count = threads or min(THREADS, usable_cores())
    end = None if seconds is None else time.monotonic() + seconds
    waiting: deque[Future[Result]] = deque()
    pool = ThreadPoolExecutor(count)
    try:
        with warnings.catch_warnings():  # each thread's own would change the others'
            for item in items:
                if end is not None and time.monotonic() > end:
                    break
                waiting.append(pool.submit(work, item))
                if len(waiting) >= WAITING * count:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
