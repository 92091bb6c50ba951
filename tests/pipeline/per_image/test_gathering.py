"""Records of several processes: each image once, in the order of the data set, whatever a sampler filled up with."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from torch.utils.data import DataLoader, DistributedSampler, Sampler

from foveate.datasets.loading.samplers import EvalSampler
from foveate.pipeline.per_image.gathering import _in_order

Share = tuple[list[str], dict[str, np.ndarray]]


def shares(sampler: type[Sampler[Any]], count: int, processes: int, void: tuple[int, ...] = ()) -> list[Share]:
    """What each process has seen of a data set of so many images; a blank has no label."""
    found = []
    for rank in range(processes):
        if sampler is EvalSampler:
            picks = list(EvalSampler(range(count), world_size=processes, rank=rank))
            dealt = [(pick.index, not pick.blank) for pick in picks]
        else:
            dealt = [(index, True) for index in DistributedSampler(range(count), processes, rank, shuffle=False)]
        numbers = [index for index, _ in dealt]
        labelled = np.array([real and index not in void for index, real in dealt])
        found.append(([f"{index}.png" for index in numbers], {"labelled": labelled, "loss": np.array(numbers, float)}))
    return found


def loader(count: int, sampler: Sampler[Any] | None) -> DataLoader[Any]:
    return DataLoader(range(count), sampler=sampler)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", [EvalSampler, DistributedSampler])
@pytest.mark.parametrize(("count", "processes"), [(5, 2), (4, 2), (1, 3), (7, 3), (6, 1)])
def test_each_image_is_there_once_and_in_order(kind: type[Any], count: int, processes: int) -> None:
    own = loader(count, EvalSampler(range(count), world_size=processes, rank=0))
    paths, columns, places = _in_order(shares(kind, count, processes), own, blanks=True)
    assert paths == [f"{number}.png" for number in range(count)]
    assert columns["loss"].tolist() == places == list(range(count))


def test_an_image_that_is_void_is_no_blank() -> None:
    own = loader(5, EvalSampler(range(5), world_size=2, rank=0))
    paths, columns, _ = _in_order(shares(EvalSampler, 5, 2, void=(0, 3)), own, blanks=True)
    assert len(paths) == 5
    assert columns["labelled"].tolist() == [False, True, True, False, True]


def test_without_a_known_sampler_what_has_no_label_is_left_out() -> None:
    paths, _, _ = _in_order(shares(EvalSampler, 5, 2), loader(5, None), blanks=False)
    assert sorted(paths) == [f"{number}.png" for number in range(5)]


def test_a_process_without_images_takes_no_part() -> None:
    found: list[Share] = [*shares(EvalSampler, 2, 1), ([], {})]
    paths, _, _ = _in_order(found, loader(2, None), blanks=False)
    assert paths == ["0.png", "1.png"]
