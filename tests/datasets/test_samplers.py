"""Which process reads which sample."""

from __future__ import annotations

import pytest

from foveate.datasets.batch import Pick
from foveate.datasets.samplers import EvalSampler, TrainSampler


def train_picks(count: int = 20, world_size: int = 1, epoch: int = 0, seed: int = 3) -> list[list[Pick]]:
    """What each process reads in an epoch."""
    samplers = [TrainSampler(range(count), world_size=world_size, rank=r, seed=seed) for r in range(world_size)]
    for sampler in samplers:
        sampler.set_epoch(epoch)
    return [list(sampler) for sampler in samplers]


@pytest.mark.parametrize("world_size", [1, 2, 3])
@pytest.mark.parametrize("count", [1, 2, 5, 6])
def test_evaluation_reads_each_sample_once_in_as_many_steps_everywhere(count: int, world_size: int) -> None:
    samplers = [EvalSampler(range(count), world_size=world_size, rank=rank) for rank in range(world_size)]
    parts = [list(sampler) for sampler in samplers]
    assert sorted(pick.index for part in parts for pick in part if not pick.blank) == list(range(count))
    assert {len(part) for part in parts} == {len(sampler) for sampler in samplers} == {-(-count // world_size)}


def test_evaluation_by_one_process_is_in_order_and_without_blanks() -> None:
    assert list(EvalSampler(range(4), world_size=1, rank=0)) == [Pick(index) for index in range(4)]


@pytest.mark.parametrize("world_size", [1, 2, 3])
def test_training_parts_are_disjoint_and_of_one_length(world_size: int) -> None:
    parts = train_picks(20, world_size)
    indices = [pick.index for part in parts for pick in part]
    assert len(indices) == len(set(indices)) == 20 // world_size * world_size
    assert {len(part) for part in parts} == {20 // world_size}
    assert not any(pick.blank for part in parts for pick in part)


def test_epochs_differ_in_order_and_in_augmentation() -> None:
    first, second = train_picks(epoch=0)[0], train_picks(epoch=1)[0]
    assert [pick.index for pick in first] != [pick.index for pick in second]
    assert not {pick.seed for pick in first} & {pick.seed for pick in second}


def test_a_seed_gives_one_order_and_another_seed_another() -> None:
    assert train_picks(seed=3) == train_picks(seed=3)
    assert [p.index for p in train_picks(seed=3)[0]] != [p.index for p in train_picks(seed=4)[0]]


def test_augmentation_does_not_depend_on_the_number_of_processes() -> None:
    one, two = train_picks(world_size=1), train_picks(world_size=2)
    assert set(one[0]) == {pick for part in two for pick in part}


@pytest.mark.parametrize("seed", [0, 20_260_101, 2**32 - 1])
def test_any_seed_that_lightning_takes_will_do(seed: int) -> None:
    picks = train_picks(seed=seed, epoch=1000)[0]
    assert all(0 <= pick.seed < 2**31 for pick in picks)
    assert len({pick.seed for pick in picks}) == len(picks)
