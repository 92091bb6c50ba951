"""Accuracy in bands of distance and of height, against counts over masks of each band."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy.ndimage import distance_transform_cdt
from torch import Tensor
from torchmetrics.functional.classification import multiclass_jaccard_index

from foveate.pipeline.metrics.bands import ByDistance, ByRow

Draw = Callable[..., tuple[Tensor, Tensor]]


def distances(label: np.ndarray) -> np.ndarray:
    """To the nearest pixel with another label, class by class, in steps to eight neighbours."""
    found = np.full(label.shape, np.inf)
    for number in np.unique(label):
        mask = label == number
        if not mask.all():
            found[mask] = distance_transform_cdt(mask, metric="chessboard")[mask]
    return found


@pytest.mark.parametrize(("classes", "size"), [(2, (40, 41)), (5, (37, 53)), (150, (30, 30))])
def test_bands_of_distance(draw: Draw, classes: int, size: tuple[int, int]) -> None:
    logits, labels = draw(classes, size)
    metric = ByDistance(classes, distances=[1, 2, 5])
    metric.update(logits, labels)
    (table,) = metric.tables([""] * classes)
    far = torch.from_numpy(np.stack([distances(label) for label in labels.numpy()]))
    predicted, bottom = logits.argmax(1), 0.0
    for (name, figures), top in zip(table.rows, (1, 2, 5, np.inf), strict=True):
        band = (far > bottom) & (far <= top) & (labels != 255)
        right = (predicted == labels)[band].double().mean().item() if band.any() else np.nan
        assert figures[0] == pytest.approx(right, nan_ok=True), name
        assert figures[2] == band.sum()
        bottom = top
    assert metric.compute().item() == pytest.approx(table.rows[0][1][0])


def test_the_edge_of_the_image_is_no_boundary_and_that_of_void_is_one() -> None:
    labels = torch.zeros(1, 5, 9, dtype=torch.uint8)
    labels[:, :, 8] = 255
    metric = ByDistance(2, distances=[1, 3])
    metric.update(torch.zeros(1, 2, 5, 9), labels)
    assert [row[1][2] for row in metric.tables(["a", "b"])[0].rows] == [5, 10, 25]


def test_one_class_alone_is_far_from_any_boundary() -> None:
    metric = ByDistance(2)
    metric.update(torch.zeros(1, 2, 4, 4), torch.zeros(1, 4, 4, dtype=torch.uint8))
    assert metric.tables(["a", "b"])[0].rows[-1] == ("further", [1.0, 1.0, 16])
    assert metric.compute().isnan()


@pytest.mark.parametrize(("height", "bands"), [(32, 4), (37, 5), (3, 16), (1, 2), (300, 256)])
def test_bands_of_height(draw: Draw, height: int, bands: int) -> None:
    logits, labels = draw(5, (height, 20))
    metric = ByRow(5, bands=bands)
    metric.update(logits, labels)
    (table,) = metric.tables([""] * 5)
    assert len(table.rows) == bands
    middles = (np.arange(height) + 0.5) / height
    predicted = logits.argmax(1)
    for number, (name, figures) in enumerate(table.rows):
        rows = torch.from_numpy((middles >= number / bands) & (middles < (number + 1) / bands))
        some, wanted = predicted[:, rows], labels[:, rows]
        assert figures[2] == (wanted != 255).sum(), name
        if figures[2]:
            valid = wanted != 255
            assert figures[0] == pytest.approx((some == wanted)[valid].double().mean().item())
            each = multiclass_jaccard_index(some[valid], wanted[valid].long(), 5, average="none")
            occurs = [k for k in range(5) if (some[valid] == k).any() or (wanted[valid] == k).any()]
            assert figures[1] == pytest.approx(each[occurs].mean().item(), abs=1e-6)
    known = [row[1][0] for row in table.rows if row[1][2]]
    assert metric.compute().item() == pytest.approx(min(known))


def test_a_fault_in_one_place_shows_in_its_band() -> None:
    labels = torch.zeros(1, 64, 8, dtype=torch.uint8)
    predicted = torch.zeros(1, 64, 8, dtype=torch.long)
    predicted[:, 32:36] = 1
    metric = ByRow(2)
    metric.update(torch.nn.functional.one_hot(predicted, 2).movedim(-1, 1).float(), labels)
    assert [row[1][0] for row in metric.tables(["a", "b"])[0].rows] == [1.0] * 8 + [0.0] + [1.0] * 7


@pytest.mark.parametrize("bands", [0, 257])
def test_bands_that_are_none_are_refused(bands: int) -> None:
    with pytest.raises(ValueError, match="bands is from 1 to 256"):
        ByRow(2, bands=bands)


@pytest.mark.filterwarnings("ignore:The ``compute`` method:UserWarning")
def test_void_only_is_nan() -> None:
    for metric in (ByRow(2), ByDistance(2)):
        metric.update(torch.zeros(1, 2, 4, 4), torch.full((1, 4, 4), 255, dtype=torch.uint8))
        assert metric.compute().isnan()
