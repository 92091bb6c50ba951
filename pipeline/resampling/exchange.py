"""Whether two runs differ: a test that exchanges them image by image."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from foveate.pipeline.resampling.counts import Array, Counts
from foveate.pipeline.resampling.draws import signs
from foveate.pipeline.resampling.intervals import Score

EXCHANGES = 9999  # so that the smallest p-value is 1 / 10 000, which 19 classes and 3 pairs still need


def difference(score: Score) -> Score:
    """The figures of the second run less those of the first, from sums whose first half is the first run's.

    Args:
        score: Computes the figures of a run.
    """

    def second_less_first(sums: Array) -> Array:
        first, second = np.split(sums, 2, axis=-1)
        return score(second) - score(first)

    return second_less_first


def exchange_test(paired: Counts, score: Score, *, draws: int = EXCHANGES, seed: int = 0) -> Array:
    """The p-values (F,) of no difference between two runs.

    If the runs are equal, which of the two gave which result of an image is chance. So both are exchanged in images (or
    groups) drawn at random, and the difference is recomputed from the sums; p is how often it is at least as large as
    the one observed. It holds for any number of images, without an assumption on how figures are distributed.

    Args:
        paired: Counts of each unit: C columns of the first run, then C of the second.
        score: Computes the figures from C sums.
        draws: How many exchanges.
        seed: Of the draws.
    """
    first, second = np.split(paired.total(), 2)
    middle = (first + second) / 2
    observed = np.abs(score(second) - score(first))
    beyond = np.zeros(len(observed))
    for chosen in signs(len(paired), draws, seed):
        ours, theirs = np.split(paired.weighted(chosen), 2, axis=-1)
        half = (theirs - ours) / 2
        found = np.abs(score(middle + half) - score(middle - half))
        beyond += (~(found < observed * (1 - 1e-9) - 1e-15)).sum(0)  # NaN counts as beyond
    return np.where(np.isnan(observed), np.nan, (1 + beyond) / (1 + draws))


def holm(values: Sequence[float]) -> list[float]:
    """p-values corrected for how many there are, so that among all a false alarm is as rare as a single one's.

    Args:
        values: The p-values; NaN is left out.

    Source:
        Holm 1979, A simple sequentially rejective multiple test procedure.

    Example:
        >>> holm([0.01, 0.04, float("nan"), 0.03])
        [0.03, 0.06, nan, 0.06]
    """
    corrected = [float("nan")] * len(values)
    order = sorted((place for place, value in enumerate(values) if value == value), key=lambda place: values[place])
    least = 0.0
    for rank, place in enumerate(order):
        least = max(least, min(1.0, (len(order) - rank) * values[place]))
        corrected[place] = least
    return corrected


def holm_of_pairs(first: Sequence[float], second: Sequence[float]) -> tuple[list[float], list[float]]:
    """p-values of pairs of hypotheses that exclude each other, corrected so that any error is as rare as a single one.

    Of each pair at most one is true. So with K pairs the smallest p-value is multiplied by K and not by 2 K, and the
    factor falls once both of a pair are rejected.

    Args:
        first: The p-value of one hypothesis of each pair.
        second: The p-value of the other one.

    Returns:
        The corrected ones, in the same order.

    Source:
        Shaffer 1986, Modified sequentially rejective multiple test procedures.

    Example:
        >>> holm_of_pairs([0.01, 0.5], [0.02, 0.04])
        ([0.02, 0.5], [0.04, 0.04])
    """
    pairs = (list(first), list(second))
    corrected: tuple[list[float], list[float]] = (list(first), list(second))
    places = [(side, place) for side in (0, 1) for place in range(len(pairs[side]))]
    open_ones = [2] * len(pairs[0])
    least = 0.0
    for side, place in sorted(places, key=lambda one: pairs[one[0]][one[1]]):
        factor = sum(count > 0 for count in open_ones)
        least = max(least, min(1.0, factor * pairs[side][place]))
        corrected[side][place] = least
        open_ones[place] -= 1
    return corrected
