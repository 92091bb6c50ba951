"""Work on many files at once, in threads: decoders and OpenCV let each other run."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

THREADS = 8  # at most; each holds an image or a label map
BLOCK = 1024  # results that are asked for at once
Result = TypeVar("Result")


def in_threads(work: Callable[[int], Result], count: int) -> Iterator[Result]:
    """The results of a function for 0 to count - 1, in order; several are computed at once.

    Args:
        work: Called with an index, in any thread.
        count: How often.
    """
    pool = ThreadPoolExecutor(min(THREADS, os.cpu_count() or 1))
    try:
        with warnings.catch_warnings():  # each thread's own would change the others'
            for start in range(0, count, BLOCK):
                yield from pool.map(work, range(start, min(count, start + BLOCK)))
    finally:
        pool.shutdown(cancel_futures=True)
