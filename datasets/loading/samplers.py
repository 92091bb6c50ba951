"""Which process evaluates which sample. It is a DistributedSampler, so Lightning does not replace it."""

from __future__ import annotations

from collections.abc import Iterator, Sized
from typing import Any, cast

from torch.utils.data import Dataset, DistributedSampler

from foveate.datasets.batch import Pick


class EvalSampler(DistributedSampler[Any]):
    """Each sample once, in order.

    Where samples do not divide evenly, some processes get a blank at the end, so that all take as many steps.

    Args:
        dataset: What is evaluated.
        world_size: Number of processes.
        rank: Which of them this is.
    """

    def __init__(self, dataset: Sized, *, world_size: int, rank: int) -> None:
        super().__init__(cast("Dataset[Any]", dataset), world_size, rank, shuffle=False)

    def __iter__(self) -> Iterator[Pick]:
        count = len(self.dataset)  # type: ignore[arg-type]
        for index in range(self.rank, self.total_size, self.num_replicas):
            yield Pick(index) if index < count else Pick(0, blank=True)
