"""Regions of an image where a network contradicts the labels: what is found, and what is left out."""

from __future__ import annotations

import numpy as np
import pytest

from foveate.datasets.labels import IGNORE
from foveate.pipeline.doubt.regions import Region, find_regions
from foveate.pipeline.doubt.shifts import find_shifts
from foveate.tests.pipeline.doubt.drawn import label_map, maps

CAR = (1, 20, 20, 34, 44)  # class, top, left, bottom, right
BOX = (20, 20, 44, 34)


def regions(label: np.ndarray, truth: np.ndarray, *, band: int = 1, min_area: int = 10, **more) -> list[Region]:
    return list(find_regions(maps(label, truth, **more), band=band, min_area=min_area))


def test_an_object_with_the_label_of_another_is_a_region() -> None:
    (found,) = regions(label_map((2, *CAR[1:])), label_map(CAR))
    assert (found.kind, found.box, found.area) == ("class", BOX, 14 * 24)
    assert (found.labelled, found.predicted) == (2, 1)
    assert found.confidence == pytest.approx(0.9)
    assert found.label_confidence == pytest.approx(0.1 / 3)


def test_an_object_without_a_label_is_missing() -> None:
    (found,) = regions(label_map(), label_map(CAR))
    assert (found.kind, found.box, found.labelled, found.predicted) == ("missing", BOX, 0, 1)


def test_void_is_no_contradiction() -> None:
    label = label_map((2, *CAR[1:]))
    label[:, 30:] = IGNORE
    (found,) = regions(label, label_map(CAR))
    assert found.box == (20, 20, 30, 34)
    label[:] = IGNORE
    assert regions(label, label_map(CAR)) == []


@pytest.mark.parametrize("band", [1, 2, 3])
def test_a_border_that_is_off_by_the_band_is_no_region(band: int) -> None:
    number, top, left, bottom, right = CAR
    wider = (number, top - band, left - band, bottom + band, right + band)
    assert regions(label_map(CAR), label_map(wider), band=band) == []
    assert regions(label_map(wider), label_map(CAR), band=band) == []
    assert regions(label_map(CAR), label_map(wider), band=0, min_area=1) != []


def test_a_thin_bridge_does_not_join_two_regions() -> None:
    truth = label_map((1, 10, 10, 20, 20), (1, 10, 40, 20, 50), (1, 14, 20, 16, 40))
    assert [found.box for found in regions(label_map(), truth)] == [(10, 10, 20, 20), (40, 10, 50, 20)]


def test_neighbours_of_other_predictions_are_regions_of_their_own() -> None:
    truth = label_map((1, 10, 10, 20, 20), (2, 10, 20, 20, 30))
    assert {(found.box, found.predicted) for found in regions(label_map(), truth)} == {
        ((10, 10, 20, 20), 1),
        ((20, 10, 30, 20), 2),
    }


def test_small_regions_are_left_out() -> None:
    truth = label_map((1, 10, 10, 15, 16))
    assert len(regions(label_map(), truth, min_area=30)) == 1
    assert regions(label_map(), truth, min_area=31) == []


def test_regions_at_the_edge_of_the_image_are_whole() -> None:
    (found,) = regions(label_map(), label_map((1, 0, 0, 12, 9)))
    assert (found.box, found.area) == ((0, 0, 9, 12), 108)


@pytest.mark.parametrize("move", [(0, 7), (-6, 0), (5, -6)])
def test_a_displaced_label_is_one_region(move: tuple[int, int]) -> None:
    number, top, left, bottom, right = CAR
    moved = (number, top + move[0], left + move[1], bottom + move[0], right + move[1])
    shown = maps(label_map(moved), label_map(CAR))
    (found,), told = find_shifts(shown, band=1, min_area=20)
    assert (found.kind, found.labelled, found.predicted) == ("shift", 1, 1)
    assert np.array_equal(told, label_map(moved) != label_map(CAR))
    assert found.area == told.sum()
    assert list(find_regions(shown, band=1, min_area=10, told=told)) == []


def test_a_label_that_is_too_large_is_not_displaced() -> None:
    number, top, left, bottom, right = CAR
    shown = maps(label_map((number, top - 4, left - 4, bottom + 4, right + 4)), label_map(CAR))
    found, told = find_shifts(shown, band=1, min_area=20)
    assert found == []
    assert not told.any()


def test_an_object_that_the_network_does_not_see_is_not_displaced() -> None:
    assert find_shifts(maps(label_map(CAR), label_map()), band=1, min_area=20)[0] == []
