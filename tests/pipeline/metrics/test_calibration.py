"""Calibration against torchmetrics' and a hand-made case."""

from __future__ import annotations

import pytest
import torch
from torchmetrics.functional.classification import multiclass_calibration_error

from foveate.pipeline.errors import UnusableDataError
from foveate.pipeline.metrics.calibration import CalibrationError


def test_it_is_torchmetrics() -> None:
    logits, labels = 3 * torch.randn(500, 7), torch.randint(0, 7, (500,))
    metric = CalibrationError(7, bins=10)
    for part, target in zip(logits.split(200), labels.split(200), strict=True):
        metric.update(part, target)
    wanted = multiclass_calibration_error(logits.softmax(1), labels, 7, n_bins=10)
    torch.testing.assert_close(metric.compute(), wanted, atol=1e-5, rtol=0)


def test_always_sure_and_right_half_of_the_time_is_a_gap_of_a_half() -> None:
    logits = torch.tensor([[100.0, 0.0]]).expand(4, 2)
    metric = CalibrationError(2)
    metric.update(logits, torch.tensor([0, 0, 1, 1]))
    assert metric.compute().item() == pytest.approx(0.5)


def test_ignored_pixels_do_not_count() -> None:
    logits = torch.tensor([100.0, 0.0]).view(1, 2, 1, 1).expand(1, 2, 2, 2)
    metric = CalibrationError(2)
    metric.update(logits, torch.tensor([[[0, 255], [255, 255]]], dtype=torch.uint8))
    assert metric.compute().item() == pytest.approx(0.0)
    assert metric.counts.sum() == 1


@pytest.mark.parametrize("labels", [torch.tensor([2]), torch.tensor([-1]), torch.tensor([[[7]]])], ids=str)
def test_a_label_without_a_class_is_refused(labels: torch.Tensor) -> None:
    with pytest.raises(UnusableDataError, match="a label lies outside 0 to 1"):
        CalibrationError(2).update(torch.zeros(1, 2, *labels.shape[1:]), labels)


def test_logits_of_other_classes_are_refused() -> None:
    with pytest.raises(ValueError, match="not a channel for each of 2 classes"):
        CalibrationError(2).update(torch.zeros(1, 3), torch.tensor([0]))
