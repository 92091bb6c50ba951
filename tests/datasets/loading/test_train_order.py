"""The order of an epoch: each sample once, over any processes, with any interruption."""

from __future__ import annotations

from itertools import chain

import numpy as np
import pytest

from foveate.datasets.batch import Pick
from foveate.datasets.loading.train_order import TrainOrder, balance, batch_sizes, shuffle


def order(count: int, *, world_size: int = 1, rank: int = 0, batch_size: int = 4, seed: int = 3) -> TrainOrder:
    return TrainOrder(shuffle(count), count=count, batch_size=batch_size, world_size=world_size, rank=rank, seed=seed)


def take(order: TrainOrder, steps: int | None = None) -> list[list[Pick]]:
    """Batches as a loader hands them out."""
    order.begin()
    batches = list(order)[:steps]
    order.steps += len(batches)
    return batches


def indices(batches: list[list[Pick]]) -> list[int]:
    return [pick.index for pick in chain(*batches) if not pick.blank]


@pytest.mark.parametrize("world_size", [1, 2, 3])
@pytest.mark.parametrize("batch_size", [1, 2, 7])
@pytest.mark.parametrize("count", [3, 4, 7, 20, 43])
def test_each_sample_is_in_one_batch_and_all_processes_take_as_many_steps(
    count: int, batch_size: int, world_size: int
) -> None:
    parts = [take(order(count, world_size=world_size, rank=r, batch_size=batch_size)) for r in range(world_size)]
    assert sorted(chain(*map(indices, parts))) == list(range(count))
    assert {len(part) for part in parts} == {len(order(count, world_size=world_size, batch_size=batch_size))}
    assert max(len(batch) for batch in chain(*parts)) <= batch_size


def test_no_batch_is_less_than_half_as_large_as_asked() -> None:
    sizes = [len(batch) for rank in (0, 1) for batch in take(order(20_001, world_size=2, rank=rank, batch_size=100))]
    assert min(sizes) >= 50
    assert sorted(sizes)[4:] == [100] * 198
    assert batch_sizes(9, steps=3, batch_size=4) == [4, 3, 2]


def test_epochs_differ_in_order_and_in_augmentation() -> None:
    it = order(20)
    first = take(it)
    it.set_epoch(1)
    second = take(it)
    assert indices(first) != indices(second)
    assert not {p.seed for p in chain(*first)} & {p.seed for p in chain(*second)}


@pytest.mark.parametrize("stop", range(6))
def test_a_state_goes_on_with_what_is_left(stop: int) -> None:
    whole, before, after = take(order(20)), order(20), order(20, seed=99)
    begun = take(before, stop)
    after.load_state_dict(before.state_dict())
    assert begun + take(after) == whole


def test_a_step_that_was_not_finished_is_taken_again() -> None:
    before, after = order(20), order(20)
    begun = take(before, 3)
    after.load_state_dict(before.state_dict(learnt=2))
    assert begun[:2] + take(after) == take(order(20))


@pytest.mark.filterwarnings("ignore:the checkpoint's epoch was begun:UserWarning")
@pytest.mark.parametrize(("world_size", "batch_size"), [(1, 4), (3, 2), (2, 5)])
def test_other_processes_and_batches_finish_an_epoch_twice_interrupted(world_size: int, batch_size: int) -> None:
    first = [order(43, world_size=2, rank=rank) for rank in (0, 1)]
    seen = list(chain(*(indices(take(it, 2)) for it in first)))
    second = order(43)
    second.load_state_dict(first[0].state_dict())
    seen += indices(take(second, 3))
    third = [order(43, world_size=world_size, rank=rank, batch_size=batch_size) for rank in range(world_size)]
    for it in third:
        it.load_state_dict(second.state_dict())
        seen += indices(take(it))
    assert sorted(seen) == list(range(43))


def test_the_epoch_after_a_resumed_one_is_whole() -> None:
    before, after = order(20), order(20)
    take(before, 2)
    after.load_state_dict(before.state_dict())
    take(after)
    after.set_epoch(1)
    assert sorted(indices(take(after))) == list(range(20))


def test_another_number_of_samples_starts_the_epoch_anew() -> None:
    before, after = order(20), order(21)
    take(before, 2)
    with pytest.warns(UserWarning, match="an epoch of 20 samples, and there are 21 now"):
        after.load_state_dict(before.state_dict())
    assert len(indices(take(after))) == 21


def test_balanced_drawing_gives_rare_classes_as_often() -> None:
    labels = np.array([0] * 900 + [1] * 90 + [2] * 10)
    drawn = np.bincount(labels[balance(labels)(0, 0)])
    assert (np.abs(drawn / 1000 - 1 / 3) < 0.05).all()
    assert not np.array_equal(balance(labels)(0, 0), balance(labels)(0, 1))
    assert np.array_equal(balance(labels)(5, 1), balance(labels)(5, 1))


@pytest.mark.parametrize(("batch_size", "company", "blanks"), [(2, True, 1), (2, False, 0), (1, True, 0)])
def test_a_batch_of_one_gets_company_where_asked(batch_size: int, company: bool, blanks: int) -> None:
    it = TrainOrder(shuffle(5), count=5, batch_size=batch_size, company=company)
    batches = take(it)
    assert sorted(indices(batches)) == list(range(5))
    assert sum(pick.blank for pick in chain(*batches)) == blanks
    assert len(batches[-1]) == 1 + blanks
