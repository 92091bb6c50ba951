"""Writes the trace of a training, which `foveate verify` compares with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning.pytorch as L
from lightning.pytorch.callbacks import Callback
from torch import Tensor

from foveate.pipeline.callbacks.finite_guard import FiniteGuard
from foveate.pipeline.divergence.naming import norm_of
from foveate.pipeline.optional_files import OptionalFiles
from foveate.pipeline.runs.trace import Checksums, Row, append_row, checksums, mend_end


@dataclass(frozen=True)
class Pending:
    """A row whose numbers are still on the device.

    Attributes:
        step: See Row, like the others.
        epoch: Counted from 0.
        batch: Counted from 0.
        loss: The loss.
        gradient: Norm of the gradients; None without an optimiser step.
        weights: Norm of the weights; None without an optimiser step.
        images: Checksums; None for a batch of another form.
    """

    step: int
    epoch: int
    batch: int
    loss: Tensor
    gradient: float | None
    weights: Tensor | None
    images: Checksums | None

    def row(self) -> Row:
        """The row."""
        return Row(
            step=self.step,
            epoch=self.epoch,
            batch=self.batch,
            loss=float(self.loss).hex(),
            gradient="" if self.gradient is None else self.gradient.hex(),
            weights="" if self.weights is None else float(self.weights).hex(),
            images="" if self.images is None else str(self.images),
        )


class Tracer(Callback):
    """Append a row for each batch to the trace of the run.

    On a GPU, a row is read from the device when the next step has waited for the device anyway.

    Args:
        run: The run directory.
        guard: Knows the norm of the gradients.
    """

    def __init__(self, run: Path, guard: FiniteGuard) -> None:
        self.run = run
        self.guard = guard
        self._images: Checksums | None = None
        self._pending: Pending | None = None
        self._step = 0
        self._files = OptionalFiles("rows of trace.csv")

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Store the first step."""
        self._step = trainer.global_step
        if trainer.is_global_zero:
            with self._files.attempt():
                mend_end(self.run)

    def on_train_batch_start(
        self, trainer: L.Trainer, pl_module: L.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Compute the checksums of the images before anything changes them."""
        self._images = checksums(batch) if trainer.is_global_zero else None

    def on_before_backward(self, trainer: L.Trainer, pl_module: L.LightningModule, loss: Tensor) -> None:
        """Take the row before: the task has just waited for the device, to look at the loss."""
        self.flush()

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Begin the row of the batch; all processes compute the norm, since they may share the weights."""
        stepped = trainer.global_step > self._step
        self._step = trainer.global_step
        weights = norm_of(pl_module.parameters()) if stepped else None
        if not trainer.is_global_zero:
            return
        self._pending = Pending(
            step=trainer.global_step,
            epoch=trainer.current_epoch,
            batch=batch_idx,
            loss=(outputs["loss"] if isinstance(outputs, dict) else outputs).detach(),
            gradient=self.guard.norm if stepped else None,
            weights=weights,
            images=self._images,
        )
        if trainer.strategy.root_device.type == "cpu":
            self.flush()

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Take the last row."""
        self.flush()

    def on_exception(self, trainer: L.Trainer, pl_module: L.LightningModule, exception: BaseException) -> None:
        """Take the last row."""
        self.flush()

    def flush(self) -> None:
        """Take the row that is open, if there is one."""
        pending, self._pending = self._pending, None
        if pending is not None:
            self.take(pending.row())

    def take(self, row: Row) -> None:
        """Append a row; a full disk does not end the training.

        Args:
            row: The row.
        """
        with self._files.attempt():
            append_row(self.run, row)
