"""Which process reads which sample."""

from __future__ import annotations

import pytest

from foveate.datasets.batch import Pick
from foveate.datasets.loading.samplers import EvalSampler


@pytest.mark.parametrize("world_size", [1, 2, 3])
@pytest.mark.parametrize("count", [1, 2, 5, 6])
def test_evaluation_reads_each_sample_once_in_as_many_steps_everywhere(count: int, world_size: int) -> None:
    samplers = [EvalSampler(range(count), world_size=world_size, rank=rank) for rank in range(world_size)]
    parts = [list(sampler) for sampler in samplers]
    assert sorted(pick.index for part in parts for pick in part if not pick.blank) == list(range(count))
    assert {len(part) for part in parts} == {len(sampler) for sampler in samplers} == {-(-count // world_size)}


def test_evaluation_by_one_process_is_in_order_and_without_blanks() -> None:
    assert list(EvalSampler(range(4), world_size=1, rank=0)) == [Pick(index) for index in range(4)]
