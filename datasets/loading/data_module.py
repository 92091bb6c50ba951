"""What every data module shares: the data's folder, the process, the reading processes, the loaders."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence, Sized
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Literal

import lightning.pytorch as L
import torch
from torch.utils.data import DataLoader, Dataset

from foveate.datasets.cores import usable_cores
from foveate.datasets.errors import DataConfigError, DataError
from foveate.datasets.loading.damage import DamageLog
from foveate.datasets.loading.folds import parse_fold
from foveate.datasets.loading.options import WORKER_TIMEOUT, spell_out
from foveate.datasets.loading.samplers import EvalSampler
from foveate.datasets.loading.train_loader import Collate, TrainLoader
from foveate.datasets.loading.train_order import Draw, TrainOrder
from foveate.datasets.loading.workers import WatchedLoader
from foveate.datasets.text import near_path


class LoadingDataModule(L.LightningDataModule):
    """Base of the data modules.

    Args:
        root: The data set's folder.
        batch_size: Training samples per step and device; `auto` waits for whoever trains to choose (`take_batch_size`).
        total_batch: Training samples of an optimiser step on all devices together, for whoever trains.
        eval_batch_size: Samples per step and device in evaluation; as many as in training if not given.
        num_workers: Processes that read; -1 takes one per core but one, at most 8.
        seed: Decides shuffling and augmentation; the run's seed if not given.
        worker_timeout: Seconds to wait for a batch of the reading processes before they count as hanging; 0 waits for
            good.
        fold: Part of the training images that takes the place of val, as NUMBER/COUNT.

    Attributes:
        defaults: Default of each option that `__init__` takes as `**options`. A subclass that changes one has an
            `__init__` of its own, so that the change shows in its signature.
        expected: A sentence on what the data set's folder holds and where it comes from, for who has no such folder.
    """

    defaults: ClassVar[Mapping[str, Any]] = {}
    expected: ClassVar[str] = ""

    def __init_subclass__(cls, **settings: Any) -> None:
        super().__init_subclass__(**settings)
        if "__init__" in vars(cls):
            spell_out(cls.__init__, cls.defaults)

    def __init__(
        self,
        root: str | None,
        *,
        batch_size: int | Literal["auto"],
        total_batch: int | None = None,
        eval_batch_size: int | None,
        num_workers: int,
        seed: int | None,
        worker_timeout: float = WORKER_TIMEOUT,
        fold: str | None = None,
    ) -> None:
        super().__init__()
        self.root = None if root is None else Path(root).expanduser()
        self.waits_for_batch_size = batch_size == "auto"
        self.total_batch = None if total_batch is None else at_least_one("total_batch", total_batch)
        self._evaluated = None if eval_batch_size is None else at_least_one("eval_batch_size", eval_batch_size)
        self.take_batch_size(1 if batch_size == "auto" else batch_size)
        self.num_workers = num_workers if num_workers >= 0 else min(8, max(1, usable_cores() - 1))
        self.seed = int(os.environ.get("PL_GLOBAL_SEED", "0")) if seed is None else seed
        if worker_timeout < 0:
            raise DataConfigError(f"worker_timeout is 0 (wait for good) or a number of seconds, not {worker_timeout}")
        self.worker_timeout = worker_timeout
        self.fold = parse_fold(fold)

    def take_batch_size(self, size: int) -> None:
        """Set the training samples per step and device; evaluation has as many unless the recipe says otherwise.

        Args:
            size: How many.

        Raises:
            DataConfigError: It is below 1.
        """
        self.batch_size = at_least_one("batch_size", size)
        self.eval_batch_size = self.batch_size if self._evaluated is None else self._evaluated

    def one_sample(self) -> dict[str, Any]:
        """The first training batch with one sample, read in this process; after `setup`."""
        size, workers = self.batch_size, self.num_workers
        self.batch_size, self.num_workers = 1, 0
        try:
            return dict(next(iter(self.train_dataloader())))
        finally:
            self.batch_size, self.num_workers = size, workers

    @classmethod
    def with_defaults(cls, options: Mapping[str, object]) -> Any:
        """The options given, and the class's default of each other one.

        Raises:
            TypeError: There is no such option.
        """
        for name in options:
            if name not in cls.defaults:
                raise TypeError(f"{cls.__name__}() got an unexpected keyword argument {name!r}")
        return {**cls.defaults, **options}

    def existing_root(self) -> Path:
        """The data set's folder.

        Raises:
            DataConfigError: None is given.
            DataError: It does not exist.
        """
        expected = f". {self.expected}" if self.expected else ""
        if self.root is None:
            raise DataConfigError(f"where is the data? give --data.root DIR, or root: in the recipe{expected}")
        if not self.root.is_dir():
            raise DataError(f"{self.root}: no such folder (--data.root){near_path(self.root) or expected}")
        return self.root

    def groups_of(self, split: str) -> Sequence[str]:
        """What belongs together, for each sample of a split; empty if nobody says so.

        Args:
            split: Its name.
        """
        return ()

    def place(self) -> tuple[int, int]:
        """Number of processes, and which of them this is."""
        return (self.trainer.world_size, self.trainer.global_rank) if self.trainer else (1, 0)

    def train_loader(
        self,
        dataset: Dataset[Any],
        collate: Collate,
        *,
        draw: Draw,
        count: int,
        company: bool = False,
        prepare: Callable[[], None] | None = None,
        targets: Draw | None = None,
        damage: DamageLog | None = None,
    ) -> TrainLoader:
        """A loader of each sample of an epoch once, in a new order; a resumed run continues with those that are left.

        Args:
            dataset: Takes a Pick.
            collate: Samples -> batch.
            draw: Seed and epoch -> the indices of an epoch, in order.
            count: Number of indices in an epoch.
            company: See TrainOrder.
            prepare: See TrainLoader.
            targets: See TrainOrder.
            damage: See TrainLoader.
        """
        world_size, rank = self.place()
        order = TrainOrder(
            draw,
            count=count,
            batch_size=self.batch_size,
            world_size=world_size,
            rank=rank,
            seed=self.seed,
            company=company,
            targets=targets,
        )
        learnt = partial(self._learnt, count)
        return TrainLoader(
            dataset,
            order,
            collate,
            num_workers=self.num_workers,
            learnt=learnt,
            patience=self.worker_timeout,
            prepare=prepare,
            damage=damage,
        )

    def _learnt(self, most: int) -> int:
        """Batches of this epoch whose optimiser step is done; `most` without a trainer, so that the loader counts."""
        if self.trainer is None:
            return most
        progress: Any = self.trainer.fit_loop.epoch_loop.batch_progress.current  # typed as a class that counts less
        done = int(progress.processed)
        is_end = done >= self.trainer.num_training_batches  # the last step of an epoch may have fewer batches
        return done if is_end else done - done % max(1, self.trainer.accumulate_grad_batches)

    def eval_loader(self, dataset: Dataset[Any], collate: Collate) -> DataLoader[Any]:
        """A loader of each sample once, in order; see EvalSampler for how processes share them.

        Args:
            dataset: Takes a Pick.
            collate: Samples -> batch.
        """
        assert isinstance(dataset, Sized)
        world_size, rank = self.place()
        return WatchedLoader(
            dataset,
            patience=self.worker_timeout,
            batch_size=self.eval_batch_size,
            sampler=EvalSampler(dataset, world_size=world_size, rank=rank),
            num_workers=self.num_workers,
            collate_fn=collate,
            pin_memory=torch.cuda.is_available(),
            persistent_workers=self.num_workers > 0,
        )


def at_least_one(name: str, value: int) -> int:
    """The value of an option that counts something.

    Args:
        name: The option, for the message.
        value: What was given.

    Raises:
        DataConfigError: It is below 1.
    """
    if value < 1:
        raise DataConfigError(f"{name} is at least 1, not {value}")
    return value
