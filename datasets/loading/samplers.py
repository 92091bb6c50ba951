"""Which process evaluates which sample; it knows its share, so Lightning leaves it alone."""

from __future__ import annotations

from collections.abc import Iterator, Sized
from typing import Any, cast

from torch.utils.data import Dataset, DistributedSampler

from foveate.datasets.batch import Pick


class EvalSampler(DistributedSampler[Any]):
    """Each sample once, in order. Processes short of one get a blank, so that all take the same number of steps."""

    def __init__(self, dataset: Sized, *, world_size: int, rank: int) -> None:
        super().__init__(cast("Dataset[Any]", dataset), world_size, rank, shuffle=False)

    def __iter__(self) -> Iterator[Pick]:
        count = len(self.dataset)  # type: ignore[arg-type]
        for index in range(self.rank, self.total_size, self.num_replicas):
            yield Pick(index) if index < count else Pick(0, blank=True)
