"""Counts training batches without any label, and ends a training that has no other."""

from __future__ import annotations

import sys

import lightning.pytorch as L
from lightning.pytorch.callbacks import Callback

from foveate.pipeline.errors import UnusableDataError
from foveate.pipeline.processes.agreement import agree


class LabelWatch(Callback):
    """Look at the end of each epoch, and of the training, how many batches had a label."""

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Forget what was computed before the training, such as to find a batch that fits."""
        pl_module.batches_seen = pl_module.batches_unlabelled = 0  # type: ignore[assignment]

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """End if no batch of any process had a label.

        Raises:
            UnusableDataError: There was none.
        """
        seen, unlabelled = self._counts(pl_module)
        (labelled,) = agree(trainer, seen - unlabelled)
        if seen and not labelled:
            raise UnusableDataError(
                f"no labelled pixel or image in any of {seen} training batches: every label is ignored; look at "
                "--data.ignore, --data.label_map and the masks (foveate data check)"
            )

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Say how many batches had no label."""
        seen, unlabelled = self._counts(pl_module)
        if unlabelled and trainer.is_global_zero:
            print(
                f"foveate: warning: {unlabelled} of {seen} training batches had no label and taught nothing",
                file=sys.stderr,
                flush=True,
            )

    def _counts(self, task: L.LightningModule) -> tuple[int, int]:
        return int(getattr(task, "batches_seen", 0)), int(getattr(task, "batches_unlabelled", 0))
