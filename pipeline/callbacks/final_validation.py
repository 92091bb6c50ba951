"""Validates the last weights, however a training ends."""

from __future__ import annotations

from typing import Any

import lightning.pytorch as L
from lightning.pytorch.callbacks import Callback


class FinalValidation(Callback):
    """Validate after the last step, unless that step was already validated or there is no val split."""

    def __init__(self) -> None:
        self._validated: int | None = None  # the step

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Store the step."""
        if not trainer.sanity_checking:
            self._validated = trainer.global_step

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Validate within the training, so that checkpoints, logs and pictures follow as after any validation."""
        if self._validated == trainer.global_step or not validates(trainer):
            return
        connector: Any = trainer._logger_connector
        first = connector._first_loop_iter
        trainer.validating = True
        trainer.fit_loop.epoch_loop.val_loop.run()
        trainer.training = True
        connector._first_loop_iter = first


def validates(trainer: L.Trainer) -> bool:
    """Whether a training has a val split and uses it."""
    return bool(trainer.enable_validation)
