"""Coarser scores, such as those of categories, from the same confusion matrix."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Int64
from torch import Tensor

from foveate.datasets.labels import LabelSet
from foveate.pipeline.metrics.confusion import Scores, score


def merge_confusion(
    confusion: Int64[Tensor, "K K"], groups: Sequence[Sequence[int]]
) -> tuple[Int64[Tensor, "G G"], Int64[Tensor, " G"]]:
    """Merge rows and columns of a confusion matrix: the counts that merged labels and predictions would have given.

    Pixels whose label is in no group are left out.

    Args:
        confusion: Counts of K classes, labels in rows.
        groups: The classes of each of G groups; a class is in one of them at most.

    Returns:
        The counts of groups, and of each group the labelled pixels that were predicted as a class of no group.

    Example:
        >>> merge_confusion(torch.tensor([[5, 1, 2], [3, 4, 0], [9, 9, 9]]), [[0, 1]])
        (tensor([[13]]), tensor([2]))
    """
    counts = confusion.cpu()
    member = torch.zeros(len(groups), len(counts), dtype=counts.dtype)
    for number, classes in enumerate(groups):
        member[number, list(classes)] = 1
    rows = member @ counts
    merged = rows @ member.T
    return merged, rows.sum(1) - merged.sum(1)


def score_levels(confusion: Int64[Tensor, "K K"], labels: LabelSet) -> Mapping[str, Scores]:
    """The scores of each level of a label set, in the order of its groups.

    Args:
        confusion: Counts of its classes, labels in rows.
        labels: The label set.

    Source:
        Cityscapes' evaluation (Cordts et al. 2016): void labels are left out, and predicting void where a class is
        labelled counts against that class.
    """
    merged = {level: merge_confusion(confusion, labels.groups(level)) for level in labels.levels}
    return {level: score(counts, elsewhere=elsewhere) for level, (counts, elsewhere) in merged.items()}
