"""Boundary F against a plain one: a Euclidean distance transform for each class."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy.ndimage import distance_transform_edt, minimum_filter
from torch import Tensor

from foveate.pipeline.metrics.contours import BoundaryF

Draw = Callable[..., tuple[Tensor, Tensor]]


def contour(mask: np.ndarray) -> np.ndarray:
    """The pixels of a mask that have background among their eight neighbours, inside the image."""
    return mask & (minimum_filter(mask.astype(np.uint8), 3, mode="nearest") == 0)


def share(asked: np.ndarray, other: np.ndarray, radius: int) -> tuple[int, int]:
    near = distance_transform_edt(~other) <= radius if other.any() else np.zeros_like(asked)
    return int((asked & near).sum()), int(asked.sum())


def plain(logits: Tensor, labels: Tensor, radius: int) -> list[float]:
    found = []
    for number in range(logits.shape[1]):
        hits = np.zeros((2, 2))
        for image, label in zip(logits.argmax(1).numpy(), labels.numpy(), strict=True):
            valid = label != 255
            wanted, given = contour((label == number) & valid), contour((image == number) & valid)
            hits += [share(given, wanted, radius), share(wanted, given, radius)]
        (right, given), (reached, wanted) = hits.tolist()
        if given + wanted == 0:
            found.append(math.nan)
        elif right == 0 or reached == 0:
            found.append(0.0)
        else:
            precision, recall = right / given, reached / wanted
            found.append(2 * precision * recall / (precision + recall))
    return found


@pytest.mark.parametrize(("classes", "size"), [(2, (40, 41)), (5, (37, 53)), (19, (90, 64)), (150, (30, 30))])
def test_it_is_the_plain_one(draw: Draw, classes: int, size: tuple[int, int]) -> None:
    logits, labels = draw(classes, size)
    radii = (3, 1, 5, 9, 2, 31)  # the last is wider than a word
    metric = BoundaryF(classes, tolerances=radii)
    metric.update(logits, labels)
    (table,) = metric.tables([str(number) for number in range(classes)])
    for place, radius in enumerate(radii):
        expected = plain(logits, labels, radius)
        assert [row[1][place] for row in table.rows] == pytest.approx(expected, nan_ok=True), radius
    assert metric.compute().item() == pytest.approx(np.nanmean(plain(logits, labels, 3)))


def test_a_contour_moved_by_three_pixels_is_found_within_three_and_not_within_two() -> None:
    labels = torch.zeros(1, 40, 40, dtype=torch.uint8)
    labels[:, :, 20:] = 1
    moved = torch.zeros_like(labels)
    moved[:, :, 23:] = 1
    metric = BoundaryF(2, tolerances=[2, 3])
    metric.update(torch.nn.functional.one_hot(moved.long(), 2).movedim(-1, 1).float(), labels)
    assert [row[1] for row in metric.tables(["a", "b"])[0].rows] == [[0, 1], [0, 1]]


def test_distance_is_euclidean() -> None:
    labels = torch.zeros(1, 30, 30, dtype=torch.uint8)
    labels[0, 10, 10] = 1
    moved = torch.zeros_like(labels)
    moved[0, 13, 14] = 1  # 5 away
    metric = BoundaryF(2, tolerances=[4, 5])
    metric.update(torch.nn.functional.one_hot(moved.long(), 2).movedim(-1, 1).float(), labels)
    assert metric.matched_predicted[:, 1].tolist() == [0, 1]
    assert metric.matched_labelled[:, 1].tolist() == [0, 1]


def test_the_edge_of_the_image_is_no_contour() -> None:
    metric = BoundaryF(2)
    metric.update(torch.tensor([1.0, 0.0]).view(1, 2, 1, 1).expand(1, 2, 8, 8), torch.zeros(1, 8, 8, dtype=torch.uint8))
    assert metric.labelled.sum() == metric.predicted.sum() == 0
    assert metric.compute().isnan()


def test_a_class_that_is_only_predicted_counts_as_zero_and_an_absent_one_does_not_count() -> None:
    labels = torch.zeros(1, 9, 9, dtype=torch.uint8)
    predicted = torch.zeros(1, 9, 9, dtype=torch.long)
    predicted[0, 4, 4] = 1
    metric = BoundaryF(3)
    metric.update(torch.nn.functional.one_hot(predicted, 3).movedim(-1, 1).float(), labels)
    first, second, third = (row[1][0] for row in metric.tables(list("abc"))[0].rows)
    assert (first, second) == (0, 0)  # of the first, too, nothing but the ring around that pixel was predicted
    assert math.isnan(third)


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (3, 1)])
def test_tiny_images(draw: Draw, size: tuple[int, int]) -> None:
    metric = BoundaryF(2)
    metric.update(torch.randn(1, 2, *size), torch.zeros(1, *size, dtype=torch.uint8))
    assert metric.matched_labelled.max() <= metric.labelled.max()
