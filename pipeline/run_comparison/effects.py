"""How two runs differ: the effect on each figure, its interval, and how likely chance alone does that."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from foveate.pipeline.per_image.figures import Scoring, counts_of, label_entries, scoring_of
from foveate.pipeline.per_image.record import LabelRecord, PixelRecord, Record
from foveate.pipeline.resampling.counts import Counts, DenseCounts, count_sparse
from foveate.pipeline.resampling.draws import DRAWS
from foveate.pipeline.resampling.exchange import EXCHANGES, difference, exchange_test, holm
from foveate.pipeline.resampling.intervals import as_pairs, bootstrap_intervals

ALPHA = 0.05


@dataclass(frozen=True)
class Effect:
    """The difference of one figure between two runs, in [-1, 1].

    Attributes:
        first: The figure of the first run; NaN where it is not defined.
        second: That of the second run.
        interval: 95 % interval of second less first; None for too few images.
        p: Of no difference; NaN where a figure is not defined.
        corrected: The same after Holm's correction.
    """

    first: float
    second: float
    interval: tuple[float, float] | None
    p: float
    corrected: float = math.nan

    @property
    def gain(self) -> float:
        """The second figure less the first."""
        return self.second - self.first

    @property
    def differs(self) -> bool:
        """Whether the runs can be told apart: by the test, and the interval does not hold 0 either."""
        apart = self.interval is not None and not self.interval[0] <= 0 <= self.interval[1]
        return apart and self.corrected < ALPHA  # False for NaN


@dataclass(frozen=True)
class Pair:
    """Two runs and their effects.

    Attributes:
        first: Name of the first run.
        second: Name of the second.
        overall: Effect on each overall figure, by its key; the first is the one that decides.
        classes: Effect on the figure of each class.
    """

    first: str
    second: str
    overall: Mapping[str, Effect]
    classes: Mapping[str, Effect]


def compare_records(
    records: Mapping[str, Record], *, draws: int = DRAWS, exchanges: int = EXCHANGES, seed: int = 0
) -> list[Pair]:
    """The effects of each pair of runs, with p-values corrected by Holm.

    Those of an overall figure are corrected for the number of pairs, those of classes for all classes of all pairs.

    Args:
        records: Of each run, by its name, with the same images in the same order.
        draws: Bootstrap draws for the intervals.
        exchanges: Random exchanges for the p-values.
        seed: Of both.
    """
    pairs = [
        _compare((one, records[one]), (two, records[two]), draws=draws, exchanges=exchanges, seed=seed)
        for one, two in combinations(records, 2)
    ]
    return _corrected(pairs)


def _compare(first: tuple[str, Record], second: tuple[str, Record], *, draws: int, exchanges: int, seed: int) -> Pair:
    scoring, paired = scoring_of(first[1]), pair_counts(first[1], second[1])
    ours, theirs = map(scoring.score, np.split(paired.total(), 2))
    intervals = as_pairs(bootstrap_intervals(paired, difference(scoring.score), draws=draws, seed=seed))
    values = exchange_test(paired, scoring.score, draws=exchanges, seed=seed)
    columns = zip(ours.tolist(), theirs.tolist(), intervals, values.tolist(), strict=True)
    effects = [Effect(*column) for column in columns]
    heads = _heads(scoring, first[1])
    return Pair(
        first[0],
        second[0],
        overall={head: effect for head, effect in zip(scoring.heads, effects, strict=False) if head in heads},
        classes=dict(zip(scoring.names, effects[len(scoring.heads) :], strict=True)),
    )


def _heads(scoring: Scoring, record: Record) -> Sequence[str]:
    """The overall figures; without top 5 where there are five classes or fewer."""
    few_classes = isinstance(record, LabelRecord) and len(record.names) <= 5
    return [head for head in scoring.heads if not (few_classes and head == "acc5")]


def pair_counts(first: Record, second: Record) -> Counts:
    """Counts of two runs, those of the second beside those of the first.

    Args:
        first: Record of a run.
        second: Record of another, with the same images in the same order.
    """
    if isinstance(first, PixelRecord):
        ours, theirs = counts_of(first), counts_of(second)
        assert isinstance(ours, DenseCounts)
        assert isinstance(theirs, DenseCounts)
        return DenseCounts(np.concatenate([ours.rows, theirs.rows], axis=1))
    assert isinstance(second, LabelRecord)
    width = 2 * len(first.names) + 1
    ours_at, ours_are = label_entries(first)
    theirs_at, theirs_are = label_entries(second)
    columns = np.concatenate([ours_at, theirs_at + width], axis=1)
    return count_sparse(columns, np.concatenate([ours_are, theirs_are], axis=1), 2 * width, first.groups)


def _corrected(pairs: Sequence[Pair]) -> list[Pair]:
    overall = {head: holm([pair.overall[head].p for pair in pairs]) for head in pairs[0].overall}
    classes = iter(holm([effect.p for pair in pairs for effect in pair.classes.values()]))
    return [
        replace(
            pair,
            overall={h: replace(effect, corrected=overall[h][place]) for h, effect in pair.overall.items()},
            classes={name: replace(effect, corrected=next(classes)) for name, effect in pair.classes.items()},
        )
        for place, pair in enumerate(pairs)
    ]
