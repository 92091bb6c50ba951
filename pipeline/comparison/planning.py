"""How many seeds and images a comparison needs, from the noise of its first trainings."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

from foveate.pipeline.comparison.anytime import ALPHA, Evidence, image_width
from foveate.pipeline.comparison.deciding import MOST, unit_width

POWER = 0.8
SURE = 0.8  # how sure the upper end of the number of seeds is


@dataclass(frozen=True)
class Plan:
    """What a comparison needs to find a difference.

    Attributes:
        noise: Standard deviation of the differences between seeds.
        image_error: Standard error of a difference over draws of the images.
        seeds: Number of seeds of each block with which the difference is found with probability POWER; None if it is
            beyond MOST, or the images do not suffice.
        at_most: The same if the noise is as large as few seeds leave possible.
        images: How many times as many images are needed; 1 if the present ones suffice.
    """

    noise: float
    image_error: float
    seeds: int | None
    at_most: int | None
    images: float


def plan(evidence: Sequence[Evidence], detect: float) -> Plan:
    """What is needed to find a difference, with as many blocks.

    Args:
        evidence: Of each block, with two seeds or more; the noise of all is averaged.
        detect: The difference, in (0, 1].
    """
    known = [one for one in evidence if len(one.differences) > 1]
    squares = sum(sum((d - one.mean) ** 2 for d in one.differences) for one in known)
    freedom = sum(len(one.differences) - 1 for one in known)
    noise = math.sqrt(squares / freedom) if freedom else math.nan
    error = math.sqrt(sum(one.image_error**2 for one in known) / len(known)) if known else math.nan
    alpha = ALPHA / max(1, len(evidence))
    images = images_needed(error, detect, alpha)
    errors = error / math.sqrt(images)  # with as many images as are needed
    at_most = noise / math.sqrt(_chi_square(freedom, 1 - SURE) / freedom) if freedom else math.nan
    return Plan(
        noise,
        error,
        seeds_needed(noise, errors, detect, alpha),
        seeds_needed(at_most, errors, detect, alpha),
        images,
    )


def seeds_needed(noise: float, image_error: float, detect: float, alpha: float = ALPHA) -> int | None:
    """The number of seeds with which a difference is found with probability POWER; None if it is beyond MOST.

    Args:
        noise: Standard deviation of the differences between seeds.
        image_error: Standard error over draws of the images.
        detect: The difference.
        alpha: Probability of an error.
    """
    fixed = image_width(image_error, alpha / 2)
    for count in range(3, MOST):
        lucky = NormalDist().inv_cdf(POWER) * math.sqrt(noise**2 / count + image_error**2)
        if detect - lucky > noise * unit_width(count, alpha) + fixed:
            return count
    return None


def images_needed(image_error: float, detect: float, alpha: float = ALPHA) -> float:
    """How many times as many images are needed; 1 if the present ones leave room for the noise of the seeds.

    Images that are too few are to be so many that they cause half of the width at which the difference is found.

    Args:
        image_error: Standard error over draws of the present images.
        detect: The difference.
        alpha: Probability of an error.
    """
    caused = image_error * (image_width(1.0, alpha / 2) + NormalDist().inv_cdf(POWER))
    return 1.0 if caused < 0.8 * detect else (2 * caused / detect) ** 2


def _chi_square(freedom: int, share: float) -> float:
    """A quantile of the chi-square distribution, by Wilson and Hilferty's approximation."""
    part = 2 / (9 * freedom)
    return float(freedom * (1 - part + NormalDist().inv_cdf(share) * math.sqrt(part)) ** 3)
