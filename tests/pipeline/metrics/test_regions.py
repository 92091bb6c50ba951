"""Recall by the size of regions against scipy's regions, one class after another."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy.ndimage import label as find
from torch import Tensor

from foveate.pipeline.metrics.regions import BySize

Draw = Callable[..., tuple[Tensor, Tensor]]


def plain(logits: Tensor, labels: Tensor, sizes: list[float]) -> np.ndarray:
    """Regions, found ones, pixels and right ones, by range of size and class."""
    counts = np.zeros((4, len(sizes) + 1, logits.shape[1]), dtype=int)
    for predicted, label in zip(logits.argmax(1).numpy(), labels.numpy(), strict=True):
        for number in range(logits.shape[1]):
            regions, count = find(label == number)
            for region in range(1, count + 1):
                mask = regions == region
                size, right = int(mask.sum()), int((predicted[mask] == number).sum())
                place = sum(size > end for end in sizes)
                counts[:, place, number] += [1, right > size / 2, size, right]
    return counts


@pytest.mark.parametrize(("classes", "size"), [(2, (40, 41)), (5, (37, 53)), (19, (64, 64)), (150, (30, 30))])
def test_it_is_scipy_s(draw: Draw, classes: int, size: tuple[int, int]) -> None:
    logits, labels = draw(classes, size, error=3.0)
    sizes = [4, 60, 300]
    metric = BySize(classes, sizes=sizes)
    metric.update(logits, labels)
    expected = plain(logits, labels, sizes)
    for name, counts in zip(("regions", "found", "pixels", "right"), expected, strict=True):
        assert getattr(metric, name).tolist() == counts.tolist(), name


def test_by_hand() -> None:
    labels = torch.tensor([[0, 0, 1, 255], [0, 1, 0, 0], [255, 1, 1, 0]], dtype=torch.uint8)[None]
    metric = BySize(3, sizes=[1, 3])
    predicted = torch.tensor([[0, 1, 1, 0], [0, 1, 2, 0], [2, 1, 0, 0]])
    metric.update(torch.nn.functional.one_hot(predicted, 3).permute(2, 0, 1)[None].float(), labels)
    assert metric.regions.tolist() == [[0, 1, 0], [2, 1, 0], [0, 0, 0]]  # corners do not join
    assert metric.pixels.tolist() == [[0, 1, 0], [6, 3, 0], [0, 0, 0]]
    assert metric.right.tolist() == [[0, 1, 0], [4, 2, 0], [0, 0, 0]]
    assert metric.found.tolist() == [[0, 1, 0], [2, 1, 0], [0, 0, 0]]
    assert metric.compute() == 1
    by_size, by_class = metric.tables(list("abc"))
    assert by_size.rows[1] == ("up to 3 pixels", [1.0, pytest.approx(6 / 9), 3, 9])
    assert by_class.rows[0][1][1] == pytest.approx(4 / 6)
    assert math.isnan(by_class.rows[2][1][0])


def test_sizes_may_be_shares_of_the_image() -> None:
    labels = torch.zeros(1, 10, 10, dtype=torch.uint8)
    labels[0, 0, :10] = 1  # a tenth
    metric = BySize(2, sizes=[0.1, 0.5])
    metric.update(torch.zeros(1, 2, 10, 10), labels)
    assert metric.regions.tolist() == [[0, 1], [0, 0], [1, 0]]
    assert metric.tables(["a", "b"])[0].rows[0][0] == "up to 10 % of the image"


@pytest.mark.filterwarnings("ignore:The ``compute`` method:UserWarning")
@pytest.mark.parametrize("size", [(1, 1), (4, 4)])
def test_void_only_has_no_region(size: tuple[int, int]) -> None:
    metric = BySize(2)
    metric.update(torch.randn(1, 2, *size), torch.full((1, *size), 255, dtype=torch.uint8))
    assert metric.regions.sum() == 0
    assert metric.compute().isnan()


@pytest.mark.parametrize("sizes", [[], [0], [9, 4], [4, 4]], ids=str)
def test_sizes_out_of_order_are_refused(sizes: list[float]) -> None:
    with pytest.raises(ValueError, match="sizes are positive numbers in ascending order"):
        BySize(2, sizes=sizes)
