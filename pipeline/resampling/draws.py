"""Random draws of units: with replacement for the bootstrap, signs for tests that exchange two runs."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from foveate.pipeline.resampling.counts import Array, chunk_size

DRAWS = 2000


def times_drawn(count: int, draws: int = DRAWS, seed: int = 0) -> Iterator[Array]:
    """How many times each unit occurs in draws of as many units with replacement; some draws (some, count) at a time.

    Args:
        count: Number of units.
        draws: Number of draws.
        seed: The draws depend on it and on `count` only, so that runs are compared on the same ones.
    """
    random = np.random.default_rng(seed)
    for size in _sizes(count, draws):
        chosen = random.integers(0, count, (size, count))
        places = chosen + count * np.arange(size)[:, None]
        yield np.bincount(places.ravel(), minlength=size * count).reshape(size, count).astype(np.float64)


def signs(count: int, draws: int, seed: int = 0) -> Iterator[Array]:
    """1 or -1 for each unit, with equal chances; some draws (some, count) at a time.

    Args:
        count: Number of units.
        draws: Number of draws.
        seed: Of the random numbers.
    """
    random = np.random.default_rng(seed)
    for size in _sizes(count, draws):
        yield random.integers(0, 2, (size, count)).astype(np.float64) * 2 - 1


def _sizes(count: int, draws: int) -> Iterator[int]:
    size = min(draws, chunk_size(count))
    yield from (min(size, draws - begin) for begin in range(0, draws, size))
