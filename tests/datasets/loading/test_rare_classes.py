"""Rare classes are drawn as often as computed, and the order stays exact."""

from __future__ import annotations

from itertools import chain

import numpy as np
import pytest

from foveate.datasets.augment.segmentation import TrainTransform
from foveate.datasets.batch import Pick
from foveate.datasets.counting.classes import ClassCounts, count_classes
from foveate.datasets.errors import DataError
from foveate.datasets.loading.rare_classes import RareClassOrder, rare_class_probabilities
from foveate.datasets.loading.train_order import TrainOrder, shuffle

COUNT, SIDE, CROP = 400, 40, 20


def mask_of(index: int) -> np.ndarray:
    """Class 0; every 20th image has a pixel of class 1 in the middle, every 40th one of class 2 too."""
    mask = np.zeros((SIDE, SIDE), dtype=np.uint8)
    if index % 20 == 0:
        mask[SIDE // 2, SIDE // 2] = 1
    if index % 40 == 0:
        mask[SIDE // 2, SIDE // 2 + 1] = 2
    return mask


@pytest.fixture(scope="module")
def counts() -> ClassCounts:
    return count_classes(mask_of, COUNT, 4, lambda *_: None)


def order(counts: ClassCounts, *, rank: int = 0, world_size: int = 1, share: float = 0.5, seed: int = 3) -> TrainOrder:
    rare = RareClassOrder(counts, share)
    return TrainOrder(
        rare.images, count=COUNT, batch_size=8, world_size=world_size, rank=rank, seed=seed, targets=rare.targets
    )


def take(order: TrainOrder, steps: int | None = None) -> list[list[Pick]]:
    order.begin()
    batches = list(order)[:steps]
    order.steps += len(batches)
    return batches


def test_the_probabilities_are_the_papers() -> None:
    pixels = np.array([900, 60, 30, 10, 0])
    expected = np.exp((1 - pixels[:4] / 1000) / 0.01)
    np.testing.assert_allclose(rare_class_probabilities(pixels)[:4], expected / expected.sum())
    assert rare_class_probabilities(pixels)[4] == 0
    with pytest.raises(DataError, match="no pixel of the train split is labelled"):
        rare_class_probabilities(np.zeros(3, dtype=np.int64))


def test_classes_are_drawn_as_often_as_computed_and_their_images_hold_them(counts: ClassCounts) -> None:
    picks = [pick for epoch in range(10) for pick in epoch_of(order(counts), epoch)]
    drawn = [pick.target for pick in picks if pick.target is not None]
    expected = rare_class_probabilities(counts.statistics.pixels)
    assert len(drawn) == len(picks) // 2 == 5 * COUNT
    np.testing.assert_allclose(np.bincount(drawn, minlength=4) / len(drawn), expected, atol=0.04)
    assert all(pick.target in counts.presence.classes_of(pick.index) for pick in picks if pick.target is not None)


def epoch_of(order: TrainOrder, epoch: int) -> list[Pick]:
    order.set_epoch(epoch)
    return list(chain(*take(order)))


def test_crops_hold_rare_classes_as_often_as_computed(counts: ClassCounts) -> None:
    transform = TrainTransform((CROP, CROP), scale=(1.0, 1.0), max_ratio=1.0, photometric=False)
    image, held = np.zeros((SIDE, SIDE, 3), dtype=np.uint8), []
    for pick in [pick for epoch in range(5) for pick in epoch_of(order(counts), epoch)]:
        _, mask = transform(image, mask_of(pick.index), seed=pick.seed, target=pick.target)
        held.append((mask == 1).any())
        assert pick.target is None or (mask == pick.target).any()
    inside = (CROP / (SIDE - CROP + 1)) ** 2  # of a crop anywhere: the middle is in 20 of 21 starts on each axis
    _, first, second, _ = rare_class_probabilities(counts.statistics.pixels)
    beside = (CROP - 1) / CROP  # of the crops that hold the pixel on the right, those that hold its left neighbour
    expected = 0.5 * (first + second * beside) + 0.5 * inside / 20
    assert np.mean(held) == pytest.approx(expected, abs=0.03)


def test_half_of_an_epoch_is_drawn_as_ever(counts: ClassCounts) -> None:
    natural, picks = shuffle(COUNT)(3, 0), epoch_of(order(counts), 0)
    assert all(pick.target is not None or pick.index == natural[place] for place, pick in enumerate(picks))
    assert [pick.index for pick in epoch_of(order(counts, share=0.0), 0)] == natural.tolist()


def test_two_processes_take_what_one_takes_and_a_resumed_epoch_goes_on(counts: ClassCounts) -> None:
    alone = epoch_of(order(counts), 0)
    parts = [list(chain(*take(order(counts, world_size=2, rank=rank)))) for rank in (0, 1)]
    assert list(chain(*parts)) == alone
    before, after = order(counts), order(counts, seed=99)
    begun = take(before, 17)
    after.load_state_dict(before.state_dict())
    assert list(chain(*begun, *take(after))) == alone


def test_epochs_and_seeds_differ(counts: ClassCounts) -> None:
    rare = RareClassOrder(counts, 1.0)
    assert np.array_equal(rare.images(1, 2), rare.images(1, 2))
    assert not np.array_equal(rare.targets(1, 2), rare.targets(1, 3))
    assert not np.array_equal(rare.targets(1, 2), rare.targets(2, 2))
    assert len(RareClassOrder(counts, 0.5, times=3).images(0, 0)) == 3 * COUNT
