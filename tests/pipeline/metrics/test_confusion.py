"""Scores against torchmetrics', and by hand where those differ from the data set's own."""

from __future__ import annotations

import inspect
import math

import pytest
import torch
from torch import Tensor
from torchmetrics.classification import MulticlassConfusionMatrix, MulticlassJaccardIndex

from foveate.pipeline.errors import UnusableDataError
from foveate.pipeline.metrics import confusion
from foveate.pipeline.metrics.confusion import CHUNK, ConfusionMatrix, Scores, count_confusion, score
from foveate.plugins.ops.native.compiled import kernels

CLASSES = 5


@pytest.fixture(autouse=True, params=["kernel", "operators"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test counts with the native kernel, and with PyTorch's operators."""
    if request.param == "operators":
        monkeypatch.setattr(confusion.native, "takes", lambda *given: False)
    elif kernels() is None:
        pytest.skip("no C++ compiler, or FOVEATE_NATIVE=0")


def predictions(classes: int = CLASSES) -> tuple[Tensor, Tensor]:
    mask = torch.randint(0, classes, (3, 16, 20), dtype=torch.uint8)
    mask[torch.rand(mask.shape) < 0.2] = 255
    return torch.randint(0, classes, (3, 16, 20)), mask


def scored(prediction: list[int], mask: list[int]) -> Scores:
    """Of one row of pixels and three classes."""
    return score(count_confusion(torch.tensor(prediction), torch.tensor(mask), 3))


@pytest.mark.parametrize("classes", [2, 5, 19, 127, 128, 254])
def test_counts_equal_torchmetrics(classes: int) -> None:
    ours, theirs = ConfusionMatrix(classes), MulticlassConfusionMatrix(classes, ignore_index=255)
    for _ in range(3):
        prediction, mask = predictions(classes)
        ours.update(prediction, mask)
        theirs.update(prediction, mask.long())
    assert torch.equal(ours.compute(), theirs.compute())


@pytest.mark.parametrize("wanted", [torch.uint8, torch.int16, torch.int32, torch.int64])
@pytest.mark.parametrize("predicted", [torch.uint8, torch.int16, torch.int32, torch.int64])
def test_counts_are_the_same_whatever_the_integers(predicted: torch.dtype, wanted: torch.dtype) -> None:
    prediction, mask = predictions()
    theirs = MulticlassConfusionMatrix(CLASSES, ignore_index=255)(prediction, mask.long())
    assert torch.equal(count_confusion(prediction.to(predicted), mask.to(wanted), CLASSES), theirs)


def test_more_classes_than_a_byte_holds() -> None:
    prediction, mask = torch.randint(0, 300, (2, 4000))
    mask[:100] = -1
    theirs = MulticlassConfusionMatrix(300, ignore_index=-1)(prediction, mask)
    assert torch.equal(count_confusion(prediction, mask.int(), 300, ignore=-1), theirs)


@pytest.mark.parametrize("ignore", [0, 3, 4, 254])
def test_any_label_may_be_the_ignored_one(ignore: int) -> None:
    prediction, mask = predictions()
    mask[mask == 255] = ignore
    theirs = MulticlassConfusionMatrix(CLASSES, ignore_index=ignore)(prediction, mask.long())
    assert torch.equal(count_confusion(prediction, mask, CLASSES, ignore=ignore), theirs)
    assert torch.equal(count_confusion(prediction, mask.long(), CLASSES, ignore=ignore), theirs)


@pytest.mark.parametrize("count", [1, CHUNK - 1, CHUNK, 2 * CHUNK + 1, 2**17 + 3])
def test_what_is_counted_in_parts_is_counted_once(count: int) -> None:
    prediction, mask = torch.randint(0, CLASSES, (2, 1, count))
    theirs = MulticlassConfusionMatrix(CLASSES)(prediction, mask)
    assert torch.equal(count_confusion(prediction, mask.byte(), CLASSES), theirs)


def test_views_are_counted_as_they_look() -> None:
    prediction, mask = predictions()
    theirs = MulticlassConfusionMatrix(CLASSES, ignore_index=255)(prediction, mask.long())
    flipped = mask.flip(1).contiguous().flip(1)
    assert torch.equal(count_confusion(prediction.mT.contiguous().mT, flipped, CLASSES), theirs)


def test_counting_leaves_a_prediction_as_it_was() -> None:
    prediction, mask = predictions()
    prediction = prediction.short()  # of the very type that is counted with
    before = prediction.clone()
    count_confusion(prediction, mask, CLASSES)
    assert torch.equal(prediction, before)


@pytest.mark.parametrize(("stray", "wanted"), [(CLASSES, torch.uint8), (200, torch.long), (-2, torch.int32)])
def test_a_label_without_a_class_is_refused(stray: int, wanted: torch.dtype) -> None:
    mask = torch.tensor([0, stray, 255], dtype=wanted)
    with pytest.raises(UnusableDataError, match="outside 0 to 4 and is not 255"):
        count_confusion(torch.zeros(3, dtype=torch.long), mask, CLASSES)


def test_iou_and_mean_equal_torchmetrics_where_every_class_occurs() -> None:
    prediction, mask = predictions()
    got = score(count_confusion(prediction, mask, CLASSES))
    theirs = MulticlassJaccardIndex(CLASSES, average="none", ignore_index=255)(prediction, mask.long())
    torch.testing.assert_close(got.iou, theirs)
    assert got.miou == pytest.approx(theirs.mean().item())


def test_figures_by_hand() -> None:
    got = scored([0, 0, 1, 1, 1, 2], [0, 0, 0, 1, 1, 1])
    assert got.iou.tolist() == pytest.approx([2 / 3, 2 / 4, 0])
    assert got.accuracy.tolist()[:2] == pytest.approx([2 / 3, 2 / 3])
    assert got.miou == pytest.approx((2 / 3 + 2 / 4 + 0) / 3)
    assert got.aacc == pytest.approx(4 / 6)


def test_an_absent_class_is_nan_and_left_out_of_the_mean() -> None:
    got = scored([0, 0, 1], [0, 0, 1])
    assert got.iou.tolist()[:2] == [1, 1]
    assert math.isnan(got.iou[2])
    assert got.miou == got.macc == got.aacc == 1


def test_a_class_predicted_but_never_labelled_counts_as_zero() -> None:
    got = scored([0, 2, 1], [0, 0, 1])
    assert got.iou.tolist() == [0.5, 1, 0]
    assert got.miou == pytest.approx(0.5)
    assert math.isnan(got.accuracy[2])
    assert got.macc == pytest.approx(0.75)


def test_what_is_predicted_on_ignored_pixels_does_not_count() -> None:
    got = scored([0, 2, 1], [0, 255, 1])
    assert got.miou == 1
    assert math.isnan(got.iou[2])


def test_nothing_labelled_is_nan_throughout() -> None:
    got = scored([0, 2, 1], [255] * 3)
    assert all(map(math.isnan, (*got.iou, got.miou, got.macc, got.aacc)))


@pytest.mark.parametrize("height", [0, 4])
def test_an_update_without_labels_adds_nothing(height: int) -> None:
    metric = ConfusionMatrix(CLASSES)
    metric.update(*predictions())
    before = metric.compute().clone()
    metric.update(torch.zeros(1, height, 4, dtype=torch.long), torch.full((1, height, 4), 255, dtype=torch.uint8))
    assert torch.equal(metric.compute(), before)
    assert before.dtype == torch.int64


def test_reset_begins_anew() -> None:
    metric = ConfusionMatrix(CLASSES)
    metric.update(*predictions())
    metric.reset()
    metric.update(torch.zeros(1, 1, 2, dtype=torch.long), torch.zeros(1, 1, 2, dtype=torch.uint8))
    assert metric.compute().sum() == 2


@pytest.mark.parametrize("wanted", [torch.uint8, torch.int64])
def test_predictions_for_other_places_than_the_labels_are_refused(wanted: torch.dtype) -> None:
    with pytest.raises(ValueError, match=r"predictions of shape \(4,\) for labels of shape \(1,\)"):
        inspect.unwrap(count_confusion)(torch.zeros(4, dtype=torch.long), torch.zeros(1, dtype=wanted), 3)
