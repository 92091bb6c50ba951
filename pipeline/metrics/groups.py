"""Counts of pixels by class in groups of pixels: bands of distance, of height."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int64, Integer
from torch import Tensor

from foveate.pipeline.metrics.confusion import CHUNK
from foveate.pipeline.metrics.distances import Map
from foveate.pipeline.metrics.pixels import Maps

Groups = Integer[np.ndarray, "H W"]


class Overlap(NamedTuple):
    """Counts of pixels of each class in each of G groups."""

    right: Int64[Tensor, "G K"]
    labelled: Int64[Tensor, "G K"]
    predicted: Int64[Tensor, "G K"]


class Shares(NamedTuple):
    """Figures of each group, from an `Overlap`; NaN where nothing was counted."""

    pixels: Int64[Tensor, " G"]
    accuracy: Float[Tensor, " G"]
    miou: Float[Tensor, " G"]


def count_by_class(classes: Map, groups: Groups, num_groups: int, num_classes: int) -> Int64[Tensor, "G K"]:
    """How many pixels of each class are in each group.

    Args:
        classes: Class numbers from 0 to K; those of K are left out.
        groups: The group of each pixel, from 0 to `num_groups`; the last is left out.
        num_groups: Number of groups G.
        num_classes: Number of classes K.
    """
    columns = num_classes + 1
    rows = num_groups + 1
    kind = torch.int16 if rows * columns <= 2**15 else torch.int64
    counts = torch.zeros(rows * columns, dtype=torch.long)
    parts = zip(_parts(classes), _parts(groups), strict=True)
    for some, theirs in parts:
        counts += torch.bincount(some.to(kind).add_(theirs.to(kind), alpha=columns), minlength=len(counts))
    return counts.view(rows, columns)[:num_groups, :num_classes]


def count_overlap(maps: Maps, groups: Groups, num_groups: int) -> Overlap:
    """Pixels of each class in each group: labelled, predicted, and both.

    Every label is counted; of the predictions only those that differ, which are few.

    Args:
        maps: Labels and prediction of one image.
        groups: The group of each pixel, from 0 to `num_groups` - 1.
        num_groups: Number of groups G.
    """
    size = num_groups, maps.num_classes
    labelled = count_by_class(maps.labels, groups, *size)
    at, wanted, given = (values.ravel()[maps.wrong][None] for values in (groups, maps.labels, maps.predicted))
    right = labelled - count_by_class(wanted, at, *size)
    return Overlap(right, labelled, right + count_by_class(given, at, *size))


def _parts(values: Map) -> Sequence[Tensor]:
    flat = torch.from_numpy(np.ascontiguousarray(values)).flatten()
    return torch.split(flat, CHUNK)


def share(counts: Overlap) -> Shares:
    """Accuracy and mean IoU of each group; a class counts where it is labelled or predicted.

    Args:
        counts: The counts.
    """
    right, labelled, predicted = (part.double() for part in counts)
    iou = right / (labelled + predicted - right)
    return Shares(counts.labelled.sum(1), (right.sum(1) / labelled.sum(1)).float(), iou.nanmean(1).float())
