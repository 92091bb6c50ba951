"""What is known of each block, from the trainings so far: better, worse, no such difference, or open."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

import numpy as np

from foveate.pipeline.comparison.anytime import ALPHA, Evidence, image_width, seed_width
from foveate.pipeline.comparison.bootstrap import SCORES, average
from foveate.pipeline.comparison.result import Cell
from foveate.pipeline.resampling.exchange import holm_of_pairs

MOST = 1000  # seeds that are counted in advance; more are said to be out of reach


class Known(StrEnum):
    """What is known of a block."""

    BETTER = "better"
    WORSE = "worse"
    SAME = "no such difference"
    OPEN = "not known"


@dataclass(frozen=True)
class Verdict:
    """A block against the baseline.

    Attributes:
        evidence: The differences.
        known: What is known, corrected for the number of blocks.
        p: The p-value of no difference, corrected.
        interval: Of the difference, valid after any number of seeds, not corrected.
        more_seeds: About how many more seeds would tell, if the differences went on as they are; 0 once it is known,
            None if no number would, so that more images are needed.
    """

    evidence: Evidence
    known: Known
    p: float
    interval: tuple[float, float]
    more_seeds: int | None


def evidence_of(cells: Mapping[int, Cell], first: Mapping[int, Cell], score: str) -> Evidence:
    """The differences of a block to the baseline, over the seeds that both have.

    Args:
        cells: The trainings of the block, by seed.
        first: Those of the baseline.
        score: `mIoU` or `accuracy`.
    """
    seeds = [seed for seed in sorted(cells) if seed in first]
    totals = [[float(SCORES[score](one[seed].counts.sum(0))) for seed in seeds] for one in (cells, first)]
    error = 0.0
    if seeds:
        ours, theirs = (average([one[seed].draw_scores(score) for seed in seeds]) for one in (cells, first))
        error = float(np.nanstd(ours - theirs))
    return Evidence(tuple(a - b for a, b in zip(*totals, strict=True)), error)


def decide(evidence: Mapping[str, Evidence], detect: float) -> dict[str, Verdict]:
    """What is known of each block.

    A comparison in which any difference is wrongly said or wrongly denied, of any block, is as rare as ALPHA says.

    Args:
        evidence: Of each block, by its label.
        detect: Smallest difference that matters, in [0, 1].
    """
    others = list(evidence.values())
    differ, same = holm_of_pairs([one.p_of_none() for one in others], [one.p_of_as_much(detect) for one in others])
    told = zip(evidence, others, differ, same, strict=True)
    return {label: _verdict(one, p, p_same, detect, len(others)) for label, one, p, p_same in told}


def _verdict(evidence: Evidence, p: float, p_same: float, detect: float, blocks: int) -> Verdict:
    known = known_of(evidence.mean, p, p_same)
    more = 0 if known is not Known.OPEN else seeds_to_go(evidence, detect, ALPHA / blocks)
    return Verdict(evidence, known, p, evidence.interval(), more)


def known_of(mean: float, p: float, p_same: float) -> Known:
    """What is known of a block, in a word.

    Args:
        mean: The mean difference to the baseline.
        p: The p-value of no difference, corrected.
        p_same: That of a difference which matters.
    """
    if p < ALPHA:
        return Known.BETTER if mean > 0 else Known.WORSE
    return Known.SAME if p_same < ALPHA else Known.OPEN


def seeds_to_go(evidence: Evidence, detect: float, alpha: float) -> int | None:
    """About how many more seeds would tell, if mean and noise stayed as they are; None if no number would.

    Args:
        evidence: The differences so far.
        detect: Smallest difference that matters.
        alpha: Probability of an error.
    """
    have = len(evidence.differences)
    if have < 2:
        return 1
    noise = float(np.std(evidence.differences, ddof=1))
    fixed, mean = image_width(evidence.image_error, alpha / 2), abs(evidence.mean)
    room = max(mean - fixed, detect - mean - fixed)  # left for the seeds' share of the interval
    if room <= 0:
        return None
    needed = count_for(round(noise / room, 2), alpha)
    return None if needed is None else max(1, needed - have)


@lru_cache(maxsize=4096)
def count_for(noise: float, alpha: float) -> int | None:
    """The number of seeds from which the seeds' half of an interval is at most 1; None if it is beyond MOST.

    Args:
        noise: Standard deviation of the differences.
        alpha: Probability of an error; half of it is for the seeds.
    """
    return next((n for n in range(3, MOST) if noise * unit_width(n, alpha) <= 1), None)


def unit_width(count: int, alpha: float) -> float:
    """Half the width that seeds cause, for differences with a standard deviation of 1.

    Args:
        count: The number of seeds.
        alpha: Probability of an error; half of it is for the seeds.
    """
    return seed_width(count, (count - 1) / count, alpha / 2)


def next_block(verdicts: Mapping[str, Verdict]) -> str | None:
    """The open block that is expected to be known soonest; None if all are known, or more seeds would not tell.

    Args:
        verdicts: Of each block, in the order given.
    """
    waiting: Sequence[tuple[int, str]] = [(v.more_seeds, label) for label, v in verdicts.items() if v.more_seeds]
    return min(waiting, key=lambda pair: pair[0])[1] if waiting else None
