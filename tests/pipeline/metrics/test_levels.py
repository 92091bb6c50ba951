"""Coarser scores from one confusion matrix: 34 ids, 19 classes and 7 categories of Cityscapes."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from foveate.datasets.class_lists.cityscapes import CITYSCAPES_ALL
from foveate.datasets.label_map import apply_label_map, parse_label_map
from foveate.datasets.labels import CITYSCAPES
from foveate.pipeline.metrics.confusion import count_confusion, score
from foveate.pipeline.metrics.levels import merge_confusion, score_levels

SCORED = set(CITYSCAPES.ids)


@pytest.fixture
def confusion() -> Tensor:
    counts = torch.randint(0, 1000, (34, 34))
    counts[:, 28] = counts[28] = 0  # no bus anywhere
    return counts


def category_iou(counts: Tensor, members: set[int]) -> float:
    """As Cityscapes' evaluation defines it: rows of ignored ids are skipped, columns of ignored ids are misses."""
    hit = missed = wrong = 0
    for label in range(34):
        for predicted in range(34):
            count = int(counts[label, predicted])
            hit += count * (label in members and predicted in members)
            missed += count * (label in members and predicted not in members)
            wrong += count * (label in SCORED - members and predicted in members)
    return hit / (hit + missed + wrong) if hit + missed + wrong else math.nan


def test_categories_of_34_ids_equal_cityscapes_definition(confusion: Tensor) -> None:
    scores = score_levels(confusion, CITYSCAPES_ALL)["categories"]
    groups = CITYSCAPES_ALL.groups("categories")
    assert len(groups) == 7
    assert scores.iou.tolist() == pytest.approx([category_iou(confusion, set(group)) for group in groups])


def test_19_classes_of_34_ids_equal_cityscapes_definition(confusion: Tensor) -> None:
    scores = score_levels(confusion, CITYSCAPES_ALL)["classes"]
    expected = [category_iou(confusion, {number}) for number in CITYSCAPES.ids]
    assert math.isnan(expected[15])
    assert scores.iou.tolist() == pytest.approx(expected, nan_ok=True)
    assert scores.miou == pytest.approx(sum(iou for iou in expected if not math.isnan(iou)) / 18)


def test_a_merged_matrix_is_that_of_merged_labels_and_predictions() -> None:
    mask, predicted = torch.randint(0, 19, (2, 5000), dtype=torch.uint8), torch.randint(0, 19, (2, 5000))
    groups = CITYSCAPES.groups("categories")
    table = torch.zeros(19, dtype=torch.long)
    for number, members in enumerate(groups):
        table[members] = number
    merged, elsewhere = merge_confusion(count_confusion(predicted, mask, 19), groups)
    assert torch.equal(merged, count_confusion(table[predicted], table[mask.long()].to(torch.uint8), 7))
    assert elsewhere.tolist() == [0] * 7


def test_a_merged_matrix_is_that_of_a_label_map() -> None:
    mapped = apply_label_map(CITYSCAPES, parse_label_map({"classes": {"vehicle": ["car", "bus"]}, "ignore": ["sky"]}))
    mask = torch.randint(0, 19, (4000,), dtype=torch.uint8)
    predicted = torch.tensor([number for number in range(19) if number != 10])[torch.randint(0, 18, (4000,))]
    table = torch.from_numpy(mapped.table)
    groups = [[old for old in range(19) if table[old] == new] for new in range(len(mapped.labels))]
    merged, _ = merge_confusion(count_confusion(predicted, mask, 19), groups)
    assert torch.equal(merged, count_confusion(table[predicted].long(), table[mask.long()], len(mapped.labels)))


def test_void_labels_do_not_count_and_predicting_void_is_an_error() -> None:
    counts = torch.zeros(34, 34, dtype=torch.long)
    counts[26, 26], counts[26, 29], counts[27, 26], counts[29, 26], counts[9, 7] = 6, 2, 1, 50, 50  # 29, 9 are void
    scores = score_levels(counts, CITYSCAPES_ALL)
    assert scores["categories"].iou[6] == pytest.approx(7 / 9)
    assert scores["classes"].iou[13] == pytest.approx(6 / 9)
    assert scores["categories"].aacc == pytest.approx(7 / 9)
    assert math.isnan(scores["categories"].iou[0])


def test_a_set_without_levels_has_none() -> None:
    assert (
        score_levels(
            torch.eye(2, dtype=torch.long),
            apply_label_map(CITYSCAPES, parse_label_map({"classes": {"a": ["road", "car"]}, "rest": "ignore"})).labels,
        )
        == {}
    )
    assert score(torch.eye(2, dtype=torch.long)).miou == 1
