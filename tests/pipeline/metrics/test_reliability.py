"""Calibration against torchmetrics', scikit-learn's curve, and a plain error with bins of equal mass."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from sklearn.calibration import calibration_curve
from torch import Tensor
from torchmetrics.functional.classification import binary_calibration_error, multiclass_calibration_error

from foveate.pipeline.errors import UnusableDataError
from foveate.pipeline.metrics.reliability import ONE, SLAB, Calibration
from foveate.plugins.ops.native import calibration as native
from foveate.plugins.ops.native.compiled import kernels

Draw = Callable[..., tuple[Tensor, Tensor]]


def pixels(draw: Draw, classes: int) -> tuple[Calibration, Tensor, Tensor]:
    logits, labels = draw(classes, (61, 47), batch=3)
    metric = Calibration(classes)
    metric.update(logits[:1], labels[:1])
    metric.update(logits[1:], labels[1:])
    valid = labels != 255
    return metric, logits.movedim(1, -1)[valid].softmax(1), labels[valid].long()


def images(classes: int) -> tuple[Calibration, Tensor, Tensor]:
    logits, labels = 3 * torch.randn(3000, classes), torch.randint(0, classes, (3000,))
    metric = Calibration(classes)
    for part, target in zip(logits.split(700), labels.split(700), strict=True):
        metric.update(part, target)
    return metric, logits.softmax(1), labels


def equal_mass(confidence: Tensor, right: Tensor, bins: int = 15) -> float:
    order = confidence.argsort()
    parts = zip(
        np.array_split(confidence[order].numpy(), bins), np.array_split(right[order].numpy(), bins), strict=True
    )
    return float(sum(abs(sure.sum() - hits.sum()) for sure, hits in parts) / len(confidence))


@pytest.mark.parametrize("classes", [2, 5, 150])
@pytest.mark.parametrize("of", ["pixels", "images", "pixels, plain operators"])
def test_errors_are_those_of_others(draw: Draw, of: str, classes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    if "plain" in of:
        monkeypatch.setattr(native, "takes", lambda logits: False)
    metric, probabilities, labels = pixels(draw, classes) if "pixels" in of else images(classes)
    wanted = multiclass_calibration_error(probabilities, labels, classes, n_bins=15)
    assert metric.compute().item() == pytest.approx(wanted.item(), abs=1e-5)
    confidence, predicted = probabilities.double().max(1)
    found = metric.adaptive()
    assert abs(found.error - equal_mass(confidence, (predicted == labels).double())) <= found.bound + 1e-5
    assert found.bound < 0.1
    each = metric.by_class().tolist()
    for number in range(0, classes, max(1, classes // 5)):
        theirs = binary_calibration_error(probabilities[:, number].contiguous(), (labels == number).long(), n_bins=15)
        assert each[number] == pytest.approx(theirs.item(), abs=2e-5)


def test_the_curve_is_scikit_learn_s(draw: Draw) -> None:
    metric, probabilities, labels = pixels(draw, 5)
    confidence, predicted = probabilities.max(1)
    accuracy, sure = calibration_curve((predicted == labels).numpy(), confidence.numpy(), n_bins=15)
    rows = [row[1] for row in metric.tables(list("abcde"))[1].rows if row[1][2]]
    assert [row[0] for row in rows] == pytest.approx(sure.tolist(), abs=1e-5)
    assert [row[1] for row in rows] == pytest.approx(accuracy.tolist(), abs=1e-5)
    assert sum(row[2] for row in rows) == len(labels)


def test_many_pixels_are_counted_once(draw: Draw) -> None:
    logits, labels = draw(19, (301, 353), batch=1)
    assert logits.numel() > 3 * SLAB
    metric = Calibration(19)
    metric.update(logits, labels)
    valid = labels != 255
    assert metric.counts.sum() == metric.fine_counts.sum() == valid.sum()
    assert metric.class_counts.sum(1).tolist() == [int(valid.sum())] * 19
    assert metric.right.sum() == metric.fine_right.sum() == (logits.argmax(1) == labels).sum()
    assert metric.class_right.sum(1).tolist() == torch.bincount(labels[valid].long(), minlength=19).tolist()
    wanted = multiclass_calibration_error(logits.movedim(1, -1)[valid].softmax(1), labels[valid].long(), 19, n_bins=15)
    assert metric.compute().item() == pytest.approx(wanted.item(), abs=1e-5)


def test_the_adaptive_error_with_many_is_nearly_that_of_equal_masses() -> None:
    logits, labels = 2 * torch.randn(60_000, 6), torch.randint(0, 6, (60_000,))
    metric = Calibration(6)
    metric.update(logits, labels)
    confidence, predicted = logits.double().softmax(1).max(1)
    found = metric.adaptive()
    assert found.error == pytest.approx(equal_mass(confidence, (predicted == labels).double()), abs=found.bound + 1e-6)
    assert found.bound < 0.01


def test_always_sure_and_right_half_of_the_time_is_a_gap_of_a_half() -> None:
    logits = torch.tensor([[100.0, 0.0]]).expand(4, 2)
    metric = Calibration(2)
    metric.update(logits, torch.tensor([0, 0, 1, 1]))
    assert metric.compute().item() == pytest.approx(0.5)
    assert metric.adaptive().error == pytest.approx(0.5)
    assert metric.by_class().tolist() == pytest.approx([0.5, 0.5])


def test_a_temperature_that_is_too_low_shows() -> None:
    probabilities = torch.distributions.Dirichlet(torch.full((4,), 0.5)).sample((20_000,))
    labels = torch.distributions.Categorical(probabilities).sample()
    logits = probabilities.clamp_min(1e-9).log()
    errors = []
    for sharper in (1.0, 3.0):
        metric = Calibration(4)
        metric.update(sharper * logits, labels)
        errors.append((metric.compute().item(), metric.adaptive().error, metric.by_class().mean().item()))
    assert max(errors[0]) < 0.02
    assert min(errors[1]) > 0.04


def test_equal_logits_are_one_class_of_many() -> None:
    metric = Calibration(4)
    metric.update(torch.zeros(8, 4), torch.tensor([0, 0, 1, 1, 2, 2, 3, 3]))
    assert metric.compute().item() == pytest.approx(0.0)
    assert metric.by_class().tolist() == pytest.approx([0.0] * 4)


def test_half_precision_is_taken(draw: Draw) -> None:
    logits, labels = draw(5)
    one, other = Calibration(5), Calibration(5)
    one.update(logits.bfloat16(), labels)
    other.update(logits.bfloat16().float(), labels)
    assert torch.equal(one.class_confidence, other.class_confidence)


def test_the_order_and_the_sharing_out_of_images_change_nothing() -> None:
    logits, labels = 3 * torch.randn(64, 10), torch.randint(0, 10, (64,))
    one, other = Calibration(10), Calibration(10)
    one.update(logits, labels)
    for number in reversed(range(64)):
        other.update(logits[number : number + 1], labels[number : number + 1])
    for name in one._defaults:
        assert torch.equal(getattr(one, name), getattr(other, name)), name


@pytest.mark.skipif(kernels() is None, reason="no C++ compiler")
@pytest.mark.parametrize(
    ("classes", "size"), [(1, (3, 5)), (2, (16, 16)), (19, (41, 57)), (150, (20, 31)), (5, (1, 1))]
)
@pytest.mark.parametrize("threads", [1, 2])
def test_the_native_kernel_counts_what_plain_operators_count(
    draw: Draw, classes: int, size: tuple[int, int], threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    logits, labels = draw(classes, size)
    fast, plain = Calibration(classes), Calibration(classes)
    torch.set_num_threads(threads)
    fast.update(logits, labels)
    torch.set_num_threads(1)
    monkeypatch.setattr(native, "takes", lambda logits: False)
    plain.update(logits, labels)
    for name in ("counts", "right", "class_right"):
        assert (getattr(fast, name) - getattr(plain, name)).abs().max() <= 1, name  # on the edge between two bins
    for name in ("confidence", "class_confidence"):
        assert torch.allclose(getattr(fast, name) / ONE, getattr(plain, name) / ONE, atol=1.01), name
    assert fast.counts.sum() == plain.counts.sum() == fast.fine_counts.sum() == (labels != 255).sum()
    assert fast.compute().item() == pytest.approx(plain.compute().item(), abs=1e-6, nan_ok=True)
    assert fast.adaptive().error == pytest.approx(plain.adaptive().error, abs=5e-3, nan_ok=True)
    assert fast.by_class().tolist() == pytest.approx(plain.by_class().tolist(), abs=1e-6, nan_ok=True)


@pytest.mark.skipif(kernels() is None, reason="no C++ compiler")
def test_threads_of_the_kernel_do_not_change_a_digit(draw: Draw) -> None:
    logits, labels = draw(19, (101, 93))
    one, two = Calibration(19), Calibration(19)
    one.update(logits, labels)
    torch.set_num_threads(2)
    two.update(logits, labels)
    torch.set_num_threads(1)
    for name in one._defaults:
        assert torch.equal(getattr(one, name), getattr(two, name)), name


@pytest.mark.filterwarnings("ignore:The ``compute`` method:UserWarning")
@pytest.mark.parametrize("size", [(1, 1), (5, 4)])
def test_void_only_is_nan(size: tuple[int, int]) -> None:
    metric = Calibration(3)
    metric.update(torch.randn(1, 3, *size), torch.full((1, *size), 255, dtype=torch.uint8))
    assert metric.compute().isnan()
    assert math.isnan(metric.adaptive().error)


def test_labels_and_bins_are_checked() -> None:
    with pytest.raises(UnusableDataError, match="a label lies outside 0 to 1"):
        Calibration(2).update(torch.zeros(1, 2), torch.tensor([2]))
    with pytest.raises(ValueError, match="bins is from 1 to 100"):
        Calibration(2, bins=0)
