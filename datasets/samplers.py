"""Which process reads which sample. Both samplers know their share, so Lightning leaves them alone."""

from __future__ import annotations

from collections.abc import Iterator, Sized
from typing import Any, cast

import torch
from torch.utils.data import Dataset, DistributedSampler

from foveate.datasets.batch import Pick


class TrainSampler(DistributedSampler[Any]):
    """A new shuffle each epoch, the same for every process; each takes its part, none is repeated.

    Args:
        dataset: What to sample from.
        world_size: Number of processes.
        rank: Which of them this is.
        seed: With the epoch it decides order and augmentation.
    """

    def __init__(self, dataset: Sized, *, world_size: int, rank: int, seed: int) -> None:
        super().__init__(cast("Dataset[Any]", dataset), world_size, rank, shuffle=True, seed=seed, drop_last=True)

    def __iter__(self) -> Iterator[Pick]:
        for index in super().__iter__():
            yield Pick(int(index), seed=_mix(self.seed, self.epoch, int(index)))


class EvalSampler(DistributedSampler[Any]):
    """Each sample once, in order. Processes short of one get a blank, so that all take the same number of steps."""

    def __init__(self, dataset: Sized, *, world_size: int, rank: int) -> None:
        super().__init__(cast("Dataset[Any]", dataset), world_size, rank, shuffle=False)

    def __iter__(self) -> Iterator[Pick]:
        count = len(self.dataset)  # type: ignore[arg-type]
        for index in range(self.rank, self.total_size, self.num_replicas):
            yield Pick(index) if index < count else Pick(0, blank=True)


def _mix(seed: int, epoch: int, index: int) -> int:
    """A seed below 2**31 that differs for neighbouring arguments."""
    mixed = (seed * 1_000_003 + epoch) * 1_000_003 + index
    generator = torch.Generator().manual_seed(mixed % 2**63)  # larger seeds overflow
    return int(torch.randint(2**31 - 1, (), generator=generator))
