"""Cityscapes' official scores: IoU of classes and categories, and the same weighted by the size of instances."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from foveate.datasets.class_lists.cityscapes import CITYSCAPES_ALL
from foveate.datasets.errors import DataError
from foveate.datasets.labels import CITYSCAPES, CITYSCAPES_CATEGORIES
from foveate.pipeline.scoring.counting import Counts

# Mean number of pixels of an instance in the training set, as the benchmark fixes them.
SIZES = {
    "bicycle": 4672.3249222261,
    "motorcycle": 6298.7200839748,
    "rider": 3930.4788056518,
    "bus": 35732.1511111111,
    "train": 67583.7075812274,
    "car": 12794.0202738185,
    "person": 3462.4756337644,
    "truck": 27855.1264367816,
}
# Categories whose classes all have instances. Those of vehicles include two ids without a score.
INSTANCE_CATEGORIES = {"human": (24, 25), "vehicle": (26, 27, 28, 29, 30, 31, 32, 33)}
Values = Float64[np.ndarray, " G"]


@dataclass(frozen=True, eq=False)
class Level:
    """Scores of the classes or of the categories; NaN where there is none.

    Attributes:
        names: The classes or categories.
        iou: Intersection over union; 0 for one that was predicted but never labelled.
        iiou: The same with labelled pixels weighted by the mean size of the class's instances over the size of their
            own; NaN for what has no instances. None where there are no instance ids.
    """

    names: Sequence[str]
    iou: Values
    iiou: Values | None

    @property
    def miou(self) -> float:
        """Mean IoU over those that have one."""
        return mean_of(self.iou)

    @property
    def mean_iiou(self) -> float:
        """Mean iIoU over those that have one."""
        return math.nan if self.iiou is None else mean_of(self.iiou)


@dataclass(frozen=True, eq=False)
class OfficialScores:
    """Cityscapes' four scores.

    Attributes:
        classes: Of the 19 classes.
        categories: Of the 7 categories.
    """

    classes: Level
    categories: Level


def mean_of(values: Values) -> float:
    """The mean of those that are not NaN; NaN if there are none."""
    valid = values[~np.isnan(values)]
    return float(valid.mean()) if len(valid) else math.nan


def score_officially(counts: Counts) -> OfficialScores:
    """The scores of counts of all 34 ids.

    Args:
        counts: Labels and predictions by regular id.

    Raises:
        DataError: An instance is of a class that has no instances.

    Source:
        Cordts et al. 2016, section 4 (arXiv:1604.01685). Void labels are left out; void predictions are misses.
    """
    classes = [[number] for number in CITYSCAPES.ids]
    names = list(CITYSCAPES_CATEGORIES)
    categories = [[_id(name) for name in CITYSCAPES_CATEGORIES[category]] for category in names]
    wider = [list(INSTANCE_CATEGORIES.get(name, ())) for name in names]
    with_instances = [ids if CITYSCAPES_ALL.names[ids[0]] in SIZES else [] for ids in classes]
    return OfficialScores(
        classes=Level(CITYSCAPES.names, _ious(counts, classes), _instance_ious(counts, classes, with_instances)),
        categories=Level(names, _ious(counts, categories), _instance_ious(counts, categories, wider)),
    )


def _id(name: str) -> int:
    return CITYSCAPES.ids[CITYSCAPES.names.index(name)]


def _ious(counts: Counts, groups: Sequence[Sequence[int]]) -> Values:
    """The IoU of groups of ids."""
    confusion = counts.confusion
    values = []
    for ids in groups:
        hits, labelled = int(confusion[np.ix_(ids, ids)].sum()), int(confusion[ids].sum())
        values.append(_ratio(hits, labelled + _false(counts, ids, ids)))
    return np.array(values, dtype=np.float64)


def _false(counts: Counts, group: Sequence[int], predicted: Sequence[int]) -> int:
    """Pixels that were predicted as some ids where a class outside the group is labelled."""
    outside = [number for number in CITYSCAPES.ids if number not in group]
    return int(counts.confusion[np.ix_(outside, predicted)].sum())


def _instance_ious(
    counts: Counts, groups: Sequence[Sequence[int]], predicted: Sequence[Sequence[int]]
) -> Values | None:
    """The iIoU of groups of ids; NaN for a group without ids that count as predicted."""
    if counts.sizes is None or counts.owners is None or counts.found is None:
        return None
    weights = _weights(counts)
    values = []
    for ids, right in zip(groups, predicted, strict=True):
        own = np.isin(counts.owners, ids)
        hits = float((counts.found[own][:, list(right)].sum(1) * weights[own]).sum())
        labelled = float((counts.sizes[own] * weights[own]).sum())
        values.append(_ratio(hits, labelled + _false(counts, ids, right)) if right else math.nan)
    return np.array(values, dtype=np.float64)


def _weights(counts: Counts) -> Values:
    """The weight of each instance's pixels: the mean size of its class over its own; 0 for one that has no score."""
    assert counts.owners is not None
    assert counts.sizes is not None
    means = np.zeros(len(counts.confusion))
    for name, size in SIZES.items():
        means[_id(name)] = size
    wrong = [number for number in np.unique(counts.owners).tolist() if number in CITYSCAPES.ids and not means[number]]
    if wrong:
        raise DataError(f"instance ids of {CITYSCAPES_ALL.names[wrong[0]]!r}, a class without instances")
    weights: Values = means[counts.owners] / counts.sizes
    return weights


def _ratio(over: float, under: float) -> float:
    return over / under if under else math.nan
