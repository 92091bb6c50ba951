"""A loader that can resume in the middle of an epoch: Lightning stores its state in every checkpoint."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch.utils.data import Dataset

from foveate.datasets.loading.damage import DamageLog
from foveate.datasets.loading.train_order import TrainOrder
from foveate.datasets.loading.workers import SeededDataset, WatchedLoader

Collate = Callable[[list[Any]], Any]


class TrainLoader:
    """Batches in a TrainOrder. Not a DataLoader, so that Lightning leaves the order alone.

    Args:
        dataset: Takes a Pick.
        order: Which samples, in which batches.
        collate: Samples -> batch.
        num_workers: Processes that read.
        learnt: Gives the number of steps of this epoch that were finished. The batch of a step that an error stopped is
            read again when the run is resumed.
        patience: Seconds to wait for a batch, see WatchedLoader.
        prepare: Called before an epoch's first batch is read, and before reading processes start.
        damage: Counts the damaged files that batches tell of, and lists them at the end of an epoch.
    """

    def __init__(
        self,
        dataset: Dataset[Any],
        order: TrainOrder,
        collate: Collate,
        *,
        num_workers: int = 0,
        learnt: Callable[[], int] | None = None,
        patience: float = 0.0,
        prepare: Callable[[], None] | None = None,
        damage: DamageLog | None = None,
    ) -> None:
        self.dataset = dataset
        self.sampler = order  # the name under which Lightning looks for set_epoch
        self._learnt = learnt
        self._prepare = prepare
        self._damage = damage
        self._loader = WatchedLoader(
            SeededDataset(dataset),
            patience=patience,
            batch_sampler=order,  # any sized iterable of lists does
            num_workers=num_workers,
            collate_fn=collate,
            pin_memory=torch.cuda.is_available(),
            persistent_workers=num_workers > 0,
        )

    def __len__(self) -> int:
        return len(self.sampler)

    def __iter__(self) -> Iterator[Any]:
        self.sampler.begin()  # when the first batch is asked for: by then the epoch is known
        if self._prepare is not None:
            self._prepare()
        for batch in self._loader:
            self.sampler.steps += 1  # here, and not where workers read ahead
            if self._damage is not None:
                self._damage.see(batch)
            yield batch
        if self._damage is not None:
            self._damage.tell()

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint stores."""
        return self.sampler.state_dict(None if self._learnt is None else self._learnt())

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue where a checkpoint was saved."""
        self.sampler.load_state_dict(state)
