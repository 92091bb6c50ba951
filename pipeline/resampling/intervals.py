"""95 % intervals of figures over the units of a data set."""

from __future__ import annotations

import math
from collections.abc import Callable
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from foveate.pipeline.resampling.counts import Array, Counts
from foveate.pipeline.resampling.draws import DRAWS, times_drawn

LEVEL = 0.95
FEWEST = 5  # units below which there is no interval; a figure must also rest on as many
Score = Callable[[Array], Array]  # sums (..., C) -> figures (..., F); NaN where a figure is not defined


def bootstrap_intervals(
    counts: Counts, score: Score, *, draws: int = DRAWS, seed: int = 0, level: float = LEVEL
) -> Array:
    """Intervals (F, 2) of figures, by the percentile bootstrap with a t-correction; NaN for too few units.

    Quantiles of the figures of resampled units are too close together for few units, and more so if some units weigh
    much more than others. So they are taken further out: where Student's t stands beyond the normal distribution, with
    as many degrees of freedom as a variance from these units has. That number is 2 n / (k - 1), k being the kurtosis of
    what each unit contributes; it is n - 1 at most.

    Args:
        counts: Of each unit.
        score: Computes the figures.
        draws: Number of bootstrap draws.
        seed: Of the draws.
        level: How often an interval should hold the truth.

    Source:
        Hesterberg 2015, What teachers should know about the bootstrap (arXiv:1411.5279), section 5.3, expanded
        percentiles; the degrees of freedom are Satterthwaite's.
    """
    drawn = np.concatenate([score(counts.weighted(times)) for times in times_drawn(len(counts), draws, seed)])
    influence = influences(counts, score)
    intervals = np.full((drawn.shape[1], 2), np.nan)
    for number, (values, contributed) in enumerate(zip(drawn.T, influence.T, strict=True)):
        finite = values[np.isfinite(values)]
        if len(finite) and np.isfinite(contributed).all() and np.count_nonzero(contributed) >= FEWEST:
            outside = tail(degrees_of_freedom(contributed), level)
            intervals[number] = np.quantile(finite, [outside, 1 - outside])
    return intervals


def influences(counts: Counts, score: Score) -> Array:
    """How much each unit moves each figure (n, F): the figure of all less that without the unit.

    NaN where a figure rests on a single unit.

    Args:
        counts: Of each unit.
        score: Computes the figures.
    """
    whole = score(counts.total())
    moved = whole - np.concatenate([score(sums) for sums in counts.without_each()])
    return np.asarray(np.where(np.abs(moved) < 1e-12, 0.0, moved))  # of rounding


def degrees_of_freedom(contributed: Array) -> float:
    """Of a variance estimated from the contributions of n units: 1 to n - 1, fewer where some are much larger.

    Args:
        contributed: By each unit, not all equal.

    Example:
        >>> degrees_of_freedom(np.array([1.0, -1.0] * 10)), degrees_of_freedom(np.array([9.0] + [-1.0] * 9))
        (19.0, 2.8125)
    """
    count, centred = len(contributed), contributed - contributed.mean()
    square = float((centred**2).mean())
    kurtosis = float((centred**4).mean()) / square**2 if square > 0 else 1.0
    return min(count - 1.0, max(1.0, 2 * count / max(kurtosis - 1, 1e-9)))


def tail(freedom: float, level: float = LEVEL) -> float:
    """The share of bootstrap draws beyond each end of an interval.

    Args:
        freedom: Degrees of freedom.
        level: How often the interval should hold the truth.
    """
    return NormalDist().cdf(-math.sqrt((freedom + 1) / freedom) * t_quantile(freedom, (1 + level) / 2))


def t_quantile(freedom: float, share: float) -> float:
    """A quantile of Student's t.

    Args:
        freedom: Degrees of freedom.
        share: Of the distribution below it.
    """
    from scipy.special import stdtrit  # late: takes a tenth of a second

    return float(stdtrit(freedom, share))


def wilson_intervals(
    right: Array, trials: Array, variance: Array, units: NDArray[np.int64], *, level: float = LEVEL
) -> Array:
    """Intervals (F, 2) of shares of whole images, such as an accuracy: Wilson's, which also holds near 0 and 1.

    Where every image is right, no resampling can say how certain that is; this says it.

    Args:
        right: How many images are right, for each figure.
        trials: Of how many.
        variance: Of each share, over the units; where units are groups of images, it says how many images that
            differ as much would be as certain.
        units: Number of images, or of groups, of each figure.
        level: How often an interval should hold the truth.

    Source:
        Wilson 1927; with an effective number of images, Korn and Graubard 1998 (Survey Methodology 24).
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        share = right / trials
        known = np.where(variance > 0, share * (1 - share) / variance, trials)
        number = np.minimum(known, trials)
        quantiles = np.array([t_quantile(max(1, count - 1), (1 + level) / 2) for count in units.tolist()])
        square = quantiles**2 / number
        centre = (share + square / 2) / (1 + square)
        half = np.sqrt(square * share * (1 - share) + square**2 / 4) / (1 + square)
    return np.stack([np.maximum(centre - half, 0), np.minimum(centre + half, 1)], axis=-1)


def as_pairs(intervals: Array) -> list[tuple[float, float] | None]:
    """Intervals as pairs; None where there is none.

    Args:
        intervals: (F, 2), NaN where there is none.
    """
    return [None if math.isnan(low) or math.isnan(high) else (float(low), float(high)) for low, high in intervals]
