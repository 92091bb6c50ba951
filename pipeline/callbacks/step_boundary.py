"""Between two steps, where every state is whole: ends the training after a signal, and saves at intervals."""

from __future__ import annotations

import time
from typing import Any

import lightning.pytorch as L
from lightning.pytorch.callbacks import Callback

from foveate.pipeline.callbacks.checkpoints import LastCheckpoint
from foveate.pipeline.callbacks.exact_resume import open_batches
from foveate.pipeline.errors import Stopped
from foveate.pipeline.processes.agreement import agree
from foveate.pipeline.processes.signals import RECEIVER, Receiver


class StepBoundary(Callback):
    """Look between two steps whether a signal came, in any process, and whether it is time to save.

    All processes look at the same step, so they end or save together. In validations, the look is after each batch.

    Args:
        last: Saves last.ckpt; None if nothing is saved.
        every_steps: Optimiser steps between two saves; None for no such limit.
        every_minutes: Minutes between two saves; None for no such limit.
        receiver: What signals ask.
    """

    def __init__(
        self,
        last: LastCheckpoint | None,
        *,
        every_steps: int | None = None,
        every_minutes: float | None = None,
        receiver: Receiver = RECEIVER,
    ) -> None:
        self.last = last
        self.every_steps = every_steps
        self.every_minutes = every_minutes
        self.receiver = receiver
        self._saved_at = time.monotonic()
        self._saved_step = 0

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Count steps and minutes from here."""
        self._saved_at, self._saved_step = time.monotonic(), trainer.global_step

    def on_train_batch_start(
        self, trainer: L.Trainer, pl_module: L.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """End if a signal came; save if it is time.

        Raises:
            Stopped: A process received a signal.
        """
        stop, save = agree(trainer, self.receiver.pending, int(self._is_time(trainer)))
        if stop:
            raise Stopped(stop, agreed=True)
        if save and self.last is not None and not open_batches(trainer):
            self.last.save(trainer)
            self._saved_at, self._saved_step = time.monotonic(), trainer.global_step

    def on_validation_batch_end(self, trainer: L.Trainer, *args: Any) -> None:
        """End if a signal came. The validation is repeated when the training goes on.

        Raises:
            Stopped: A process received a signal.
        """
        (stop,) = agree(trainer, self.receiver.pending)
        if stop:
            raise Stopped(stop, agreed=True)

    def _is_time(self, trainer: L.Trainer) -> bool:
        if self.last is None or trainer.global_step == self._saved_step:
            return False
        steps = trainer.global_step - self._saved_step
        minutes = (time.monotonic() - self._saved_at) / 60
        by_steps = self.every_steps is not None and steps >= self.every_steps
        return by_steps or (self.every_minutes is not None and minutes >= self.every_minutes)
