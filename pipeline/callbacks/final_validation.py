"""Validates the last weights, however a training ends."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import lightning.pytorch as L
from lightning.pytorch.callbacks import Callback

DUE = "due"


class FinalValidation(Callback):
    """Validate after the last step, unless that step was already validated or there is no val split.

    If a signal interrupts it, it is repeated when the training goes on, also if no step is left.
    """

    def __init__(self) -> None:
        self._validated: int | None = None  # the step
        self._due = False

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint stores: whether a validation was begun and not ended."""
        return {DUE: self._due}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over whether a validation was interrupted."""
        self._due = bool(state_dict.get(DUE))

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Leave the repetition to Lightning's loop, since steps are left."""
        self._due = False

    def on_validation_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Note that a validation has begun."""
        self._due = not trainer.sanity_checking

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Store the step."""
        self._due = False
        if not trainer.sanity_checking:
            self._validated = trainer.global_step

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Validate within the training, so that checkpoints, logs and pictures follow as after any validation."""
        if self._validated != trainer.global_step and validates(trainer):
            self._validate(trainer)

    def on_fit_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Validate if that is all that was left to do."""
        if self._due and validates(trainer):
            self._validate(trainer)

    def _validate(self, trainer: L.Trainer) -> None:
        connector: Any = trainer._logger_connector
        first = connector._first_loop_iter
        trainer.validating = True
        trainer.fit_loop.epoch_loop.val_loop.run()
        trainer.training = True
        connector._first_loop_iter = first


def validation_is_due(checkpoint: Mapping[str, Any]) -> bool:
    """Whether a validation was interrupted.

    Args:
        checkpoint: The content of the checkpoint.
    """
    states: Mapping[str, Any] = checkpoint.get("callbacks") or {}
    return bool(states.get(FinalValidation.__qualname__, {}).get(DUE))


def validates(trainer: L.Trainer) -> bool:
    """Whether a training has a val split and uses it."""
    return bool(trainer.enable_validation)
