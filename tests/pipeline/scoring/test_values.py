"""Pairs of numbers are counted alike by C++ and without it."""

from __future__ import annotations

import numpy as np
import pytest

from foveate.pipeline.scoring import values
from foveate.pipeline.scoring.values import count_regions, count_values


def made(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    shape = tuple(rng.integers(1, 40, 2))
    run = int(rng.choice([1, 3, 12]))
    one, other, ids = (np.repeat(rng.integers(0, top, shape), run, 1) for top in (256, 5, 34000))
    return one.astype(np.uint8), other.astype(np.uint8), ids.astype(np.uint16)


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("by_hand", [False, True])
def test_pairs_and_regions(seed: int, by_hand: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if by_hand:
        monkeypatch.setattr(values, "native", lambda: None)
    one, other, ids = made(seed)
    counts = count_values(one, other)
    expected = np.zeros((256, 256), np.int64)
    np.add.at(expected, (one, other), 1)
    assert np.array_equal(counts, expected)
    found, inside = count_regions(ids, other, 1000)
    assert found.tolist() == sorted(set(ids[ids > 1000].tolist()))
    for region, row in zip(found[:20], inside, strict=False):
        assert np.array_equal(row, np.bincount(other[ids == region], minlength=256))


def test_an_image_of_more_pixels_than_a_float_can_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(values, "native", lambda: None)
    monkeypatch.setattr(values, "EXACT", 8)
    one = np.full((9, 4), 7, np.uint8)
    assert count_values(one, one)[7, 7] == 36


def test_regions_of_wider_numbers() -> None:
    ids, numbers = np.array([[70000, 70000, 5]]), np.array([[1, 2, 2]], np.uint8)
    found, counts = count_regions(ids, numbers, 1000)
    assert found.tolist() == [70000]
    assert counts[0, :3].tolist() == [0, 1, 1]
