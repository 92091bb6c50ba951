"""Top-k accuracy against scikit-learn's."""

from __future__ import annotations

import math

import pytest
import torch
from sklearn.metrics import top_k_accuracy_score

from foveate.pipeline.errors import UnusableDataError
from foveate.pipeline.metrics.top_k import TopK


def test_it_is_scikit_learn_s() -> None:
    logits, labels = torch.randn(300, 9), torch.randint(0, 9, (300,))
    metric = TopK(9, k=[3, 1, 7])
    for some, target in zip(logits.split(70), labels.split(70), strict=True):
        metric.update(some, target)
    micro = metric.tables(list("abcdefghi"))[0].means[1][1]
    for k, share in zip((3, 1, 7), micro, strict=True):
        assert share == pytest.approx(top_k_accuracy_score(labels.numpy(), logits.numpy(), k=k, labels=range(9)))
    assert metric.compute().item() == pytest.approx(micro[0])


def test_macro_is_the_mean_over_classes_that_occur() -> None:
    metric = TopK(3, k=2)
    metric.update(torch.tensor([[3.0, 2, 1], [3, 2, 1], [3, 2, 1], [1, 3, 2]]), torch.tensor([0, 0, 0, 0]))
    metric.update(torch.tensor([[3.0, 2, 1]]), torch.tensor([1]))
    (table,) = metric.tables(list("abc"))
    assert [row[1][0] for row in table.rows][:2] == [0.75, 1.0]
    assert math.isnan(table.rows[2][1][0])
    assert table.means[0][1] == [0.875]
    assert metric.compute().item() == pytest.approx(4 / 5)


def test_more_than_there_are_classes_is_all_of_them() -> None:
    metric = TopK(2)
    metric.update(torch.randn(5, 2), torch.tensor([0, 1, 0, 1, 0]))
    assert metric.compute() == 1


@pytest.mark.parametrize("k", [0, [], [3, 0]], ids=str)
def test_a_k_that_is_none_is_refused(k: int | list[int]) -> None:
    with pytest.raises(ValueError, match="k is a number of classes from 1"):
        TopK(3, k=k)


def test_labels_are_checked() -> None:
    with pytest.raises(UnusableDataError, match="outside 0 to 2"):
        TopK(3).update(torch.eye(3), torch.tensor([0, 1, 3]))
