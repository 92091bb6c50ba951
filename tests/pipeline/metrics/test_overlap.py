"""Dice, precision, recall and F1 against scikit-learn's and torchmetrics'."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable

import pytest
import torch
from sklearn.metrics import precision_recall_fscore_support
from torch import Tensor
from torchmetrics.segmentation import DiceScore

from foveate.pipeline.errors import UnusableDataError
from foveate.pipeline.metrics.overlap import Overlap, create_dice, create_f1, create_precision, create_recall

Draw = Callable[..., tuple[Tensor, Tensor]]


def check(metric: Overlap, wanted: Tensor, predicted: Tensor, classes: int) -> None:
    """The table of a metric is scikit-learn's, which says 0 where we say undefined."""
    (table,) = metric.tables([str(number) for number in range(classes)])
    for place, (_, figures) in enumerate(table.rows):
        mine = [0.0 if math.isnan(value) else value for value in figures]
        theirs = precision_recall_fscore_support(
            wanted.numpy(), predicted.numpy(), labels=[place], average=None, zero_division=0
        )
        assert mine == pytest.approx([theirs[2][0], theirs[0][0], theirs[1][0]])
    for (name, figures), average in zip(table.means[1:], ("micro", "weighted"), strict=True):
        theirs = precision_recall_fscore_support(
            wanted.numpy(), predicted.numpy(), labels=range(classes), average=average, zero_division=0
        )
        assert figures == pytest.approx([theirs[2], theirs[0], theirs[1]]), name


@pytest.mark.parametrize("classes", [2, 5, 150])
def test_of_pixels_it_is_scikit_learn_s(draw: Draw, classes: int) -> None:
    logits, labels = draw(classes)
    metric = create_dice(classes)
    for image, label in zip(logits, labels, strict=True):
        metric.update(image[None], label[None])
    valid = labels != 255
    check(metric, labels[valid].long(), logits.argmax(1)[valid], classes)


def test_of_images_it_is_scikit_learn_s_and_255_is_a_class() -> None:
    logits, labels = torch.randn(400, 300), torch.randint(0, 300, (400,))
    labels[:30] = 255
    logits[:20, 255] = 99
    metric = create_f1(300)
    metric.update(logits, labels)
    assert metric.labelled.sum() == 400
    check(metric, labels, logits.argmax(1), 300)


def test_macro_means_are_scikit_learn_s_where_every_class_occurs() -> None:
    logits, labels = torch.randn(300, 4), torch.randint(0, 4, (300,))
    theirs = precision_recall_fscore_support(labels.numpy(), logits.argmax(1).numpy(), average="macro")
    for create, expected in zip((create_precision, create_recall, create_f1), theirs, strict=False):
        metric = create(4)
        metric.update(logits, labels)
        assert metric.compute().item() == pytest.approx(expected)


def test_dice_is_torchmetrics(draw: Draw) -> None:
    logits, labels = draw(5, void=False)
    theirs = DiceScore(5, average="none", aggregation_level="global", input_format="index")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs.update(logits.argmax(1), labels.long())
    metric = create_dice(5)
    metric.update(logits, labels)
    (table,) = metric.tables(list("abcde"))
    assert [row[1][0] for row in table.rows] == pytest.approx(theirs.compute().tolist(), abs=1e-6)


def test_by_hand_with_a_class_only_labelled_one_only_predicted_and_one_absent() -> None:
    metric = create_f1(4)
    metric.update(torch.eye(4)[[0, 0, 2, 0]], torch.tensor([0, 0, 0, 1]))
    (table,) = metric.tables(list("abcd"))
    f1, precision, recall = (list(column) for column in zip(*(row[1] for row in table.rows), strict=True))
    assert f1[:3] == pytest.approx([2 / 3, 0, 0])
    assert precision[0] == pytest.approx(2 / 3)
    assert recall[:2] == pytest.approx([2 / 3, 0])
    assert all(map(math.isnan, (f1[3], precision[1], precision[3], recall[2], recall[3])))
    assert metric.compute().item() == pytest.approx(2 / 9)


@pytest.mark.filterwarnings("ignore:The ``compute`` method:UserWarning")
def test_void_only_and_nothing_are_nan() -> None:
    metric = create_dice(3)
    assert metric.compute().isnan()
    metric.update(torch.randn(1, 3, 1, 1), torch.full((1, 1, 1), 255, dtype=torch.uint8))
    assert metric.compute().isnan()


@pytest.mark.parametrize("labels", [torch.tensor([2]), torch.tensor([[[7]]])], ids=str)
def test_labels_are_checked(labels: Tensor) -> None:
    with pytest.raises(UnusableDataError, match="a label lies outside 0 to 1"):
        create_recall(2).update(torch.zeros(1, 2, *labels.shape[1:]), labels)
