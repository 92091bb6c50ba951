"""Scores of classifiers against torchmetrics', and by hand."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torchmetrics.functional.classification import multiclass_accuracy

from foveate.pipeline.errors import UnusableDataError
from foveate.pipeline.metrics.classification import ClassificationScores, ClassTally, score_classes
from foveate.pipeline.metrics.confusion import ConfusionMatrix


def scored(logits: Tensor, labels: Tensor, batch: int = 7) -> ClassificationScores:
    classes = logits.shape[1]
    tally, confusion = ClassTally(classes), ConfusionMatrix(classes, ignore=-1)
    for some, target in zip(logits.split(batch), labels.split(batch), strict=True):
        tally.update(some, target)
        confusion.update(some.argmax(1), target)
    return score_classes(*tally.compute(), calibration_error=0.0, confusion=confusion.compute())


def test_accuracies_are_torchmetrics() -> None:
    logits, labels = torch.randn(300, 9), torch.randint(0, 9, (300,))
    got = scored(logits, labels)
    assert got.acc == pytest.approx(multiclass_accuracy(logits, labels, 9, average="micro").item())
    assert got.macc == pytest.approx(multiclass_accuracy(logits, labels, 9, average="macro").item())
    assert got.acc5 == pytest.approx(multiclass_accuracy(logits, labels, 9, average="micro", top_k=5).item())
    torch.testing.assert_close(got.accuracy, multiclass_accuracy(logits, labels, 9, average="none"))


def test_class_255_counts() -> None:
    logits, labels = torch.randn(20, 300), torch.full((20,), 255)
    logits[:, 255] = 100.0
    got = scored(logits, labels)
    assert got.images.sum() == 20
    assert got.acc == got.macc == 1
    assert got.confusion is not None
    assert got.confusion.sum() == got.confusion[255, 255] == 20


def test_a_class_without_images_is_nan_and_left_out_of_the_mean() -> None:
    got = scored(torch.eye(3)[[0, 0, 1, 1]], torch.tensor([0, 0, 0, 1]))
    assert got.accuracy.tolist()[:2] == pytest.approx([2 / 3, 1])
    assert math.isnan(got.accuracy[2])
    assert got.macc == pytest.approx(5 / 6)
    assert got.acc == pytest.approx(3 / 4)
    assert got.acc5 is None


def test_the_most_confused_come_first_and_what_was_right_is_none_of_them() -> None:
    got = scored(torch.eye(3)[[0, 1, 1, 2, 2, 2]], torch.tensor([0, 0, 0, 2, 2, 1]))
    assert got.most_confused() == [(0, 1, 2), (1, 2, 1)]


def test_nothing_counted_is_nan() -> None:
    assert math.isnan(scored(torch.eye(3)[:0], torch.zeros(0, dtype=torch.long)).acc)


@pytest.mark.parametrize("label", [-1, 3])
def test_a_label_without_a_class_is_refused(label: int) -> None:
    with pytest.raises(UnusableDataError, match=f"outside 0 to 2: they reach from {min(label, 0)} to {max(label, 0)}"):
        ClassTally(3).update(torch.eye(3)[:2], torch.tensor([0, label]))


@pytest.mark.parametrize("channels", [2, 4])
def test_logits_of_other_classes_are_refused(channels: int) -> None:
    with pytest.raises(ValueError, match="not a channel for each of 3 classes"):
        ClassTally(3).update(torch.zeros(1, channels), torch.tensor([0]))
