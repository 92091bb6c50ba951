"""Boundary IoU against a plain one of the paper: an erosion for each class."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy.ndimage import binary_erosion
from torch import Tensor

from foveate.pipeline.errors import UnusableDataError
from foveate.pipeline.metrics.boundary import BoundaryIoU

Draw = Callable[..., tuple[Tensor, Tensor]]
SQUARE = np.ones((3, 3), dtype=bool)


def boundary(mask: np.ndarray, distance: int) -> np.ndarray:
    """Of a binary mask: what as many erosions take away, the outside of the image being background."""
    return mask & ~binary_erosion(mask, SQUARE, iterations=distance, border_value=0)


def plain(logits: Tensor, labels: Tensor, distance: int) -> list[float]:
    """Equation 1 of the paper for each class, over all images; ignored pixels are of no class in either map."""
    classes, found = logits.shape[1], []
    for number in range(classes):
        both = either = 0
        for image, label in zip(logits.argmax(1).numpy(), labels.numpy(), strict=True):
            valid = label != 255
            wanted = boundary((label == number) & valid, distance)
            given = boundary((image == number) & valid, distance)
            both += (wanted & given).sum()
            either += (wanted | given).sum()
        found.append(both / either if either else math.nan)
    return found


@pytest.mark.parametrize(("classes", "size"), [(2, (40, 41)), (5, (37, 53)), (19, (90, 64)), (150, (30, 30))])
def test_it_is_the_paper_s(draw: Draw, classes: int, size: tuple[int, int]) -> None:
    logits, labels = draw(classes, size)
    metric = BoundaryIoU(classes, distances=[0.02, 5, 1, 2, 9, 3])
    metric.update(logits, labels)
    (table,) = metric.tables([str(number) for number in range(classes)])
    share = max(1, round(0.02 * math.hypot(*size)))
    for place, distance in enumerate((share, 5, 1, 2, 9, 3)):
        expected = plain(logits, labels, distance)
        assert [row[1][place] for row in table.rows] == pytest.approx(expected, nan_ok=True), distance
        assert table.means[0][1][place] == pytest.approx(np.nanmean(expected))
    assert metric.compute().item() == pytest.approx(np.nanmean(plain(logits, labels, share)))


def test_touching_classes_have_boundaries_in_all_directions() -> None:
    labels = torch.zeros(1, 9, 9, dtype=torch.uint8)
    labels[0, 4, 4] = 1  # a single pixel: its eight neighbours are near it
    logits = torch.zeros(1, 2, 9, 9)
    logits[:, 0] = 1
    metric = BoundaryIoU(2, distances=[1])
    metric.update(logits, labels)
    assert metric.labelled.tolist() == [[32 + 8, 1]]  # the frame and the ring
    assert metric.predicted.tolist() == [[32, 0]]
    assert metric.both.tolist() == [[32, 0]]


def test_a_perfect_prediction_is_one_whatever_is_ignored(draw: Draw) -> None:
    _, labels = draw()
    right = torch.where(labels == 255, 0, labels).long()
    metric = BoundaryIoU(5)
    metric.update(torch.nn.functional.one_hot(right, 5).movedim(-1, 1).float(), labels)
    assert metric.compute() == 1


def test_a_shift_by_two_pixels_costs_more_near_the_boundary_than_within() -> None:
    labels = torch.zeros(1, 60, 60, dtype=torch.uint8)
    labels[:, 15:45, 15:45] = 1
    moved = labels.roll(2, 2).long()
    metric = BoundaryIoU(2, distances=[2, 40])
    metric.update(torch.nn.functional.one_hot(moved, 2).movedim(-1, 1).float(), labels)
    near, far = metric.tables(["a", "b"])[0].means[0][1]
    whole = (28 / 32 + (3600 - 30 * 32) / (3600 - 30 * 28)) / 2
    assert far == pytest.approx(whole, abs=1e-6)  # the whole of both is within 40 pixels
    assert near < 0.7


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (5, 1)])
def test_tiny_images_are_all_boundary(size: tuple[int, int]) -> None:
    labels = torch.zeros(1, *size, dtype=torch.uint8)
    metric = BoundaryIoU(2)
    metric.update(torch.tensor([1.0, 0.0]).view(1, 2, 1, 1).expand(1, 2, *size), labels)
    assert metric.compute() == 1
    assert metric.both[0].tolist() == [labels.numel(), 0]


@pytest.mark.filterwarnings("ignore:The ``compute`` method:UserWarning")
def test_void_only_is_nan() -> None:
    metric = BoundaryIoU(3)
    metric.update(torch.randn(1, 3, 6, 6), torch.full((1, 6, 6), 255, dtype=torch.uint8))
    assert metric.compute().isnan()
    assert metric.labelled.sum() == metric.predicted.sum() == 0


def test_a_large_distance_needs_more_than_a_byte(draw: Draw) -> None:
    labels = torch.zeros(1, 700, 700, dtype=torch.uint8)
    labels[0, 350:] = 1
    logits = torch.nn.functional.one_hot(labels.long(), 2).movedim(-1, 1).float()
    metric = BoundaryIoU(2, distances=[3, 170])
    metric.update(logits, labels)
    assert metric.labelled[1].tolist() == [350 * 700 - 10 * 360] * 2
    assert metric.labelled[1].tolist() == [int(boundary(labels[0].numpy() == k, 170).sum()) for k in (0, 1)]


def test_labels_are_checked() -> None:
    with pytest.raises(UnusableDataError, match="a label lies outside 0 to 2"):
        BoundaryIoU(3).update(torch.randn(1, 3, 4, 4), torch.full((1, 4, 4), 3, dtype=torch.uint8))


@pytest.mark.parametrize("distances", [[], [0], [-1], [1.5]], ids=str)
def test_distances_that_are_none_are_refused(distances: list[float]) -> None:
    with pytest.raises(ValueError, match="distances are shares of the image's diagonal"):
        BoundaryIoU(3, distances=distances)
