"""Writes the trace of a training, which `foveate verify` compares with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import lightning.pytorch as L
from lightning.pytorch.callbacks import Callback

from foveate.pipeline.callbacks.finite_guard import FiniteGuard
from foveate.pipeline.runs.trace import Row, append_row, checksums, norm_of


class Tracer(Callback):
    """Give each batch's row to a function; by default it is appended to the trace of the run.

    Args:
        run: The run directory.
        guard: Knows the norm of the gradients.
    """

    def __init__(self, run: Path, guard: FiniteGuard) -> None:
        self.run = run
        self.guard = guard
        self._images = ""
        self._step = 0
        self._fails = False

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Store the first step."""
        self._step = trainer.global_step

    def on_train_batch_start(
        self, trainer: L.Trainer, pl_module: L.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Take the checksums of the images before anything changes them."""
        self._images = checksums(batch) if isinstance(batch, dict) else ""

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Make the row of the batch."""
        if not trainer.is_global_zero:
            return
        stepped = trainer.global_step > self._step
        self._step = trainer.global_step
        loss = outputs["loss"] if isinstance(outputs, dict) else outputs
        weights = float(norm_of(pl_module.parameters())).hex() if stepped else ""
        gradient = float(self.guard.norm).hex() if stepped and self.guard.norm is not None else ""
        self.take(
            Row(
                step=trainer.global_step,
                epoch=trainer.current_epoch,
                batch=batch_idx,
                loss=float(loss.detach()).hex(),
                gradient=gradient,
                weights=weights,
                images=self._images,
            )
        )

    def take(self, row: Row) -> None:
        """Append a row; a full disk does not end the training.

        Args:
            row: The row.
        """
        if not self._fails:
            try:
                append_row(self.run, row)
            except OSError:
                self._fails = True  # the trace ends here, and `verify` goes as far as it does
