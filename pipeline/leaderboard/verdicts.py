"""What the trainings of a track tell of each block against the empty slot: better, worse, no such difference, or open.

The number of seeds is fixed by the protocol, so an ordinary test holds. Three seeds of a block say little about how
much its scores vary, but all blocks of a track together say it well.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtr, stdtrit

from foveate.pipeline.comparison.anytime import ALPHA
from foveate.pipeline.comparison.deciding import Known, known_of
from foveate.pipeline.resampling.exchange import holm_of_pairs

Scores = Mapping[str, Mapping[int, float]]  # of each block and seed, in [0, 1]


@dataclass(frozen=True)
class Noise:
    """How much scores of one block vary between seeds.

    Attributes:
        variance: Mean squared residual of score = block + seed; NaN where nothing tells it.
        freedom: Degrees of freedom.
    """

    variance: float
    freedom: int


@dataclass(frozen=True)
class Difference:
    """A block less the empty slot.

    Attributes:
        mean: Over the seeds.
        error: Its standard error, over seeds and images.
        freedom: Degrees of freedom of that.
    """

    mean: float
    error: float
    freedom: float

    def interval(self, alpha: float) -> tuple[float, float]:
        """An interval over seeds and images.

        Args:
            alpha: Probability that it does not hold the difference.
        """
        width = self.error * float(stdtrit(self.freedom, 1 - alpha / 2)) if self.error else 0.0
        return self.mean - width, self.mean + width

    def p_of_none(self) -> float:
        """The p-value of no difference."""
        return 2 * self._above(abs(self.mean))

    def p_of_as_much(self, margin: float) -> float:
        """The p-value of a difference at least as large as a margin, either way.

        Args:
            margin: The margin.
        """
        return self._above(margin - abs(self.mean))

    def _above(self, distance: float) -> float:
        """Probability that noise exceeds a distance."""
        if not self.error:
            return 0.5 if distance <= 0 else 0.0
        return float(stdtr(self.freedom, -distance / self.error))


@dataclass(frozen=True)
class Verdict:
    """What is known of a block.

    Attributes:
        known: In a word, corrected for the number of blocks.
        p: The p-value of no difference, corrected.
        interval: Of the difference, over seeds and images: those of all blocks hold together in 95 % of tables
            (Bonferroni); infinite if unknown.
    """

    known: Known
    p: float
    interval: tuple[float, float]


OPEN = Verdict(Known.OPEN, 1.0, (-math.inf, math.inf))


def judge(
    scores: Scores, baseline: str, image_errors: Mapping[str, float], *, images: int, seeds: int, detect: float
) -> dict[str, Verdict]:
    """What is known of each block; nothing is said of one before it and the baseline have all seeds.

    In 95 % of tables all that is said is right, if scores vary alike in all blocks and close to normally.

    Args:
        scores: Of all blocks, the baseline among them.
        baseline: The empty slot.
        image_errors: Standard error of each difference to the baseline over draws of the images.
        images: The number of images.
        seeds: How many seeds the protocol has.
        detect: Smallest difference that matters.
    """
    noise = noise_of(scores)
    theirs = scores[baseline]
    whole = [label for label in image_errors if len(scores[label]) == len(theirs) == seeds and noise.freedom > 0]
    found = {label: _difference(scores[label], theirs, noise, image_errors[label], images) for label in whole}
    differ = [found[label].p_of_none() if label in found else 1.0 for label in image_errors]
    same = [found[label].p_of_as_much(detect) if label in found else 1.0 for label in image_errors]
    told = zip(image_errors, *holm_of_pairs(differ, same), strict=True)
    return {
        label: _verdict(found[label], p, p_same, len(image_errors)) if label in found else OPEN
        for label, p, p_same in told
    }


def _verdict(difference: Difference, p: float, p_same: float, blocks: int) -> Verdict:
    return Verdict(known_of(difference.mean, p, p_same), p, difference.interval(ALPHA / blocks))


def noise_of(scores: Scores) -> Noise:
    """How much scores vary between seeds, from all blocks: what is left once each block and each seed has its mean.

    Seeds are common to the blocks: they share initial weights and the order of images.

    Args:
        scores: Of each block and seed; not every block needs every seed.

    Source:
        The additive two-way analysis of variance, by least squares, since records may be missing.
    """
    blocks, seeds = list(scores), sorted({seed for own in scores.values() for seed in own})
    cells = [
        (blocks.index(block), seeds.index(seed), score) for block in blocks for seed, score in scores[block].items()
    ]
    design = np.zeros((len(cells), len(blocks) + len(seeds)))
    for row, (block, seed, _) in enumerate(cells):
        design[row, block] = design[row, len(blocks) + seed] = 1
    values = np.array([score for *_, score in cells])
    fitted, _, rank, _ = np.linalg.lstsq(design, values, rcond=None)
    freedom = len(cells) - int(rank)
    left = float(((values - design @ fitted) ** 2).sum())
    return Noise(left / freedom if freedom else math.nan, freedom)


def _difference(
    ours: Mapping[int, float], theirs: Mapping[int, float], noise: Noise, image_error: float, images: int
) -> Difference:
    """The difference of two blocks with the same seeds; degrees of freedom as Welch and Satterthwaite add variances."""
    of_seeds, of_images = 2 * noise.variance / len(ours), image_error**2
    total = of_seeds + of_images
    parts = of_seeds**2 / noise.freedom + of_images**2 / max(1, images - 1)
    mean = math.fsum(ours[seed] - theirs[seed] for seed in ours) / len(ours)
    return Difference(mean, math.sqrt(total), total**2 / parts if parts else math.inf)
