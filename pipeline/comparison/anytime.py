"""What a few differences between seeds tell, whenever one looks: intervals and p-values that stay valid.

An ordinary test is valid for a number of seeds that was fixed before. Whoever looks after each seed, and stops once the
result pleases, is wrong far more often than the test says. The intervals here hold for all numbers of seeds at once.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist

ALPHA = 0.05
SPREAD = 0.1  # of the mixture; small values need few seeds for effects that are large against the seeds' noise
LEAST = 1e-12  # smallest p-value that is told apart


def seed_width(count: int, variance: float, alpha: float) -> float:
    """Half the width of a confidence sequence of a mean, around the mean so far; infinite for too few seeds.

    The intervals of all numbers of seeds hold the mean together, with probability 1 - alpha, if the values are
    independent and normal. Their variance is not known.

    Args:
        count: The number of values: one for each seed.
        variance: Their mean squared distance to their mean.
        alpha: Probability of an error.

    Source:
        The mixture of t-tests of Wang & Ramdas, Anytime-valid t-tests and confidence sequences for Gaussian means with
        unknown variance (arXiv:2310.03722), after Lai 1976. With n values, sum S, sum of squares V and c = SPREAD,
        sqrt(c / (n + c)) * ((n + c) V / ((n + c) V - S^2)) ** (n / 2) is at least 1 / alpha with probability alpha or
        less if the mean is 0; the interval has the means that are not refused so.
    """
    if count < 2:
        return math.inf
    scale = count + SPREAD
    weight = scale * (1 - (math.sqrt(scale / SPREAD) / alpha) ** (-2 / count))
    return math.inf if weight >= count else math.sqrt(variance * weight / (count - weight))


def image_width(error: float, alpha: float) -> float:
    """Half the width of the interval that images cause: they were drawn once, and more seeds do not change them.

    Args:
        error: Standard error of the mean difference over draws of the images.
        alpha: Probability of an error.
    """
    return error * NormalDist().inv_cdf(1 - alpha / 2) if error > 0 else 0.0


@dataclass(frozen=True)
class Evidence:
    """Differences of a block to the baseline, in [-1, 1].

    Attributes:
        differences: One for each seed, in the order in which they were trained.
        image_error: Standard error of their mean over draws of the images.
    """

    differences: tuple[float, ...]
    image_error: float

    def up_to(self, count: int) -> Evidence:
        """What was known after some seeds.

        Args:
            count: The number of seeds.
        """
        return Evidence(self.differences[:count], self.image_error)

    @property
    def mean(self) -> float:
        """The mean difference."""
        return math.fsum(self.differences) / len(self.differences) if self.differences else math.nan

    def width(self, alpha: float = ALPHA) -> float:
        """Half the width of the interval around the mean; half of alpha is for seeds, half for images.

        Args:
            alpha: Probability that the intervals after any number of seeds are wrong.
        """
        variance = sum((one - self.mean) ** 2 for one in self.differences) / max(1, len(self.differences))
        return seed_width(len(self.differences), variance, alpha / 2) + image_width(self.image_error, alpha / 2)

    def interval(self, alpha: float = ALPHA) -> tuple[float, float]:
        """What the intervals after each number of seeds so far have in common.

        Args:
            alpha: Probability that it does not hold the difference.
        """
        low, high = -math.inf, math.inf
        for count in range(2, len(self.differences) + 1):
            then = self.up_to(count)
            low, high = max(low, then.mean - then.width(alpha)), min(high, then.mean + then.width(alpha))
        if low > high:  # one of them is wrong, which is as rare as alpha says: the last one
            return self.mean - self.width(alpha), self.mean + self.width(alpha)
        return low, high

    def p_of_none(self) -> float:
        """The p-value of no difference, valid after any number of seeds: the smallest so far."""
        return self._smallest(lambda then, alpha: abs(then.mean) > then.width(alpha))

    def p_of_as_much(self, margin: float) -> float:
        """The p-value of a difference at least as large as a margin, either way, valid after any number of seeds.

        Args:
            margin: The margin.
        """
        return self._smallest(lambda then, alpha: abs(then.mean) + then.width(alpha) < margin)

    def _smallest(self, refuses: Callable[[Evidence, float], bool]) -> float:
        """The smallest alpha at which a hypothesis is refused after some number of seeds; 1 if it is at none."""
        least = 1.0
        for count in range(2, len(self.differences) + 1):
            then = self.up_to(count)
            if refuses(then, least):
                least = _smallest_alpha(then, refuses, least)
        return least


def _smallest_alpha(evidence: Evidence, refuses: Callable[[Evidence, float], bool], alpha: float) -> float:
    """The smallest alpha at which a hypothesis is refused that is refused at the given one."""
    low, high = math.log(LEAST), math.log(alpha)
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (low, middle) if refuses(evidence, math.exp(middle)) else (middle, high)
    return math.exp(high)
