"""Logs the number of optimiser steps done as the step."""

from __future__ import annotations

from typing import Any

import lightning.pytorch as L
from lightning.pytorch.callbacks import Callback


class StepNumbers(Callback):
    """Make logs use the number of optimiser steps done, as progress lines and checkpoints do.

    Lightning counts steps from 0 in logs and from 1 elsewhere. A metric named `step` sets the number for all loggers.
    """

    def on_train_batch_end(self, trainer: L.Trainer, pl_module: L.LightningModule, *args: Any) -> None:
        """Set the number for the metrics of a step."""
        now = {"step": float(trainer.global_step), "epoch": float(trainer.current_epoch)}
        pl_module.log_dict(now, on_step=True, on_epoch=False, batch_size=1)

    def on_validation_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Set the number for the scores of a validation."""
        if not trainer.sanity_checking:
            now = {"step": float(trainer.global_step), "epoch": float(trainer.current_epoch)}
            pl_module.log_dict(now, sync_dist=True, batch_size=1)
