"""The figures of records: as a whole, with intervals, and their counts for tests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from foveate.pipeline.metrics.classification import FIRST
from foveate.pipeline.per_image.record import LabelRecord, PixelRecord, Record
from foveate.pipeline.resampling.counts import Array, Counts, count_dense, count_sparse, number_groups
from foveate.pipeline.resampling.draws import DRAWS
from foveate.pipeline.resampling.intervals import (
    FEWEST,
    LEVEL,
    Score,
    as_pairs,
    bootstrap_intervals,
    wilson_intervals,
)


@dataclass(frozen=True)
class Scoring:
    """How figures are computed from the counts of a record.

    Attributes:
        heads: Keys of the overall figures, such as miou.
        each: Key of the figure of each class.
        names: The classes.
        score: From sums to the overall figures and then those of the classes.
    """

    heads: Sequence[str]
    each: str
    names: Sequence[str]
    score: Score


def pixel_score(sizes: Sequence[int]) -> Score:
    """Figures of summed counts (..., 3 T): for the classes, then for each level, mIoU, mAcc, aAcc and each IoU.

    Args:
        sizes: How many classes there are, and groups of each level.
    """
    bounds = np.cumsum(sizes)[:-1]

    def score(sums: Array) -> Array:
        right, labelled, predicted = (np.split(part, bounds, axis=-1) for part in np.split(sums, 3, axis=-1))
        return np.concatenate([_score(*level) for level in zip(right, labelled, predicted, strict=True)], axis=-1)

    return score


def _score(right: Array, labelled: Array, predicted: Array) -> Array:
    iou, accuracy = _ratio(right, labelled + predicted - right), _ratio(right, labelled)
    all_of = _ratio(right.sum(-1), labelled.sum(-1))
    return np.concatenate([np.stack([_mean(iou), _mean(accuracy), all_of], axis=-1), iou], axis=-1)


def label_score(num_classes: int) -> Score:
    """Figures of summed counts (..., 2 K + 1): accuracy, top 5, mean of the classes, and accuracy of each class.

    Args:
        num_classes: Number of classes K.
    """

    def score(sums: Array) -> Array:
        right, right5, images = np.split(sums, [num_classes, num_classes + 1], axis=-1)
        total, accuracy = images.sum(-1), _ratio(right, images)
        heads = [_ratio(right.sum(-1), total), _ratio(right5[..., 0], total), _mean(accuracy)]
        return np.concatenate([np.stack(heads, axis=-1), accuracy], axis=-1)

    return score


def _ratio(part: Any, whole: Any) -> Array:
    """A quotient, NaN where nothing is divided by."""
    return np.asarray(np.divide(part, whole, out=np.full(np.shape(whole), np.nan), where=np.asarray(whole) > 0))


def _mean(values: Array) -> Array:
    """Mean along the last axis over what is not NaN; NaN if all are."""
    known = ~np.isnan(values)
    return _ratio(np.where(known, values, 0).sum(-1), known.sum(-1))


def counts_of(record: Record) -> Counts:
    """The counts of each image of a record, or of each group where the data set names groups.

    Args:
        record: Of a data set.
    """
    if isinstance(record, PixelRecord):
        return count_dense(record.counts, record.groups)
    return count_sparse(*label_entries(record), 2 * len(record.names) + 1, record.groups)


def label_entries(record: LabelRecord) -> tuple[Any, Any]:
    """Columns and values of the three counts of each image: right, among the first five, and one image.

    Args:
        record: Of a data set.
    """
    size = len(record.names)
    label = record.label.astype(np.int64)
    columns = np.stack([label, np.full_like(label, size), size + 1 + label], axis=1)
    values = np.stack([record.label == record.predicted, record.rank <= FIRST, np.ones(len(record))], axis=1)
    return columns, values.astype(np.float64)


def scoring_of(record: Record) -> Scoring:
    """How the figures of a record's classes are computed; levels are left out.

    Args:
        record: Of a data set.
    """
    names = record.names
    if isinstance(record, PixelRecord):
        whole = pixel_score(record.sizes)
        return Scoring(("miou", "macc", "aacc"), "iou", names, lambda sums: whole(sums)[..., : 3 + len(names)])
    return Scoring(("acc", "acc5", "macc"), "accuracy", names, label_score(len(names)))


def intervals_of(record: Record, *, draws: int = DRAWS, seed: int = 0) -> dict[str, Any]:
    """95 % intervals of the figures of a record, under the keys that stand beside those of a score file.

    Args:
        record: Of a data set.
        draws: Number of bootstrap draws.
        seed: Of the draws.
    """
    units = len(set(record.groups)) if record.groups else len(record)
    of = "groups" if record.groups else "images"
    if units < FEWEST:
        reason = f"{units} {of[:-1] if units == 1 else of}, and an interval needs at least {FEWEST}"
        return {"interval": {"missing": reason}}
    described = {"level": LEVEL, "of": of, "count": units, "draws": draws}
    if isinstance(record, LabelRecord):
        return {"interval": described, **_label_intervals(record, draws, seed)}
    pairs = as_pairs(bootstrap_intervals(counts_of(record), pixel_score(record.sizes), draws=draws, seed=seed))
    parts, begin = [], 0
    for size, names in zip(record.sizes, (record.names, *record.levels.values()), strict=True):
        parts.append(_keyed(("miou", "macc", "aacc"), "iou", names, pairs[begin : begin + 3 + size]))
        begin += 3 + size
    levels = dict(zip(record.levels, parts[1:], strict=True))
    return {"interval": described, **parts[0], **({"levels": levels} if levels else {})}


def _keyed(heads: Sequence[str], each: str, names: Sequence[str], pairs: Sequence[Any]) -> dict[str, Any]:
    rounded = [None if pair is None else [round(value, 6) for value in pair] for pair in pairs]
    overall = {f"{head}_interval": pair for head, pair in zip(heads, rounded, strict=False)}
    return {**overall, f"{each}_interval": dict(zip(names, rounded[len(heads) :], strict=True))}


def _label_intervals(record: LabelRecord, draws: int, seed: int) -> dict[str, Any]:
    """Wilson's intervals of shares of images, and a bootstrap of the mean over the classes."""
    counts, size, score = counts_of(record), len(record.names), label_score(len(record.names))
    units = number_groups(record.groups) if record.groups else np.arange(len(record), dtype=np.int64)
    first, five = record.label == record.predicted, record.rank <= FIRST
    whole = np.zeros(len(record), dtype=np.int64)
    heads = [_shares(right, whole, units, 1)[0] for right in (first, five)]
    mean = bootstrap_intervals(counts, lambda sums: score(sums)[..., 2:3], draws=draws, seed=seed)
    each = _shares(first, record.label.astype(np.int64), units, size)
    pairs = as_pairs(np.concatenate([np.stack(heads), mean, each]))
    if size <= FIRST:
        pairs[1] = None
    return _keyed(("acc", "acc5", "macc"), "accuracy", record.names, pairs)


def _shares(right: Any, label: Any, units: Any, size: int) -> Array:
    """Intervals (size, 2) of the share of each class's images that are right; NaN of classes in too few units."""
    pairs, place = np.unique(units * size + label, return_inverse=True)
    hits = np.bincount(place, right).astype(np.float64)
    trials, of = np.bincount(place).astype(np.float64), pairs % size
    all_hits, all_trials = (np.bincount(of, counted, size).astype(np.float64) for counted in (hits, trials))
    occurs = np.bincount(of, minlength=size).astype(np.int64)
    share = _ratio(all_hits, all_trials)
    squares = np.bincount(of, (hits - share[of] * trials) ** 2, size)
    variance = _ratio(squares * occurs, all_trials**2 * np.maximum(occurs - 1, 1))
    intervals = wilson_intervals(all_hits, all_trials, variance, occurs)
    intervals[occurs < FEWEST] = np.nan
    return intervals
