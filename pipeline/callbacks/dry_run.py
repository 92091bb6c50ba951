"""Times a few steps and a validation of a dry run."""

from __future__ import annotations

import statistics
import sys
import time
from typing import Any

import lightning.pytorch as L
import torch
from lightning.pytorch.callbacks import Callback

DRY_STEPS = 3


class DryRun(Callback):
    """Time steps and validation batches.

    Attributes:
        steps: Seconds of each training step, without reading.
        waits: Seconds that each step waited for its batch.
        validation: Seconds of each validation batch.
        epoch: Batches of an epoch; None if unknown.
    """

    def __init__(self) -> None:
        self.steps: list[float] = []
        self.waits: list[float] = []
        self.validation: list[float] = []
        self.epoch: int | None = None
        self._since = time.perf_counter()

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Begin to wait for the first batch."""
        self._lap(trainer)

    def on_train_batch_start(self, trainer: L.Trainer, pl_module: L.LightningModule, *args: Any) -> None:
        """Note how long the batch took to come."""
        self.waits.append(self._lap(trainer))

    def on_train_batch_end(self, trainer: L.Trainer, pl_module: L.LightningModule, *args: Any) -> None:
        """Note how long the step took."""
        self.steps.append(self._lap(trainer))

    def on_validation_batch_start(self, trainer: L.Trainer, pl_module: L.LightningModule, *args: Any) -> None:
        """Begin a validation batch."""
        self._lap(trainer)

    def on_validation_batch_end(self, trainer: L.Trainer, pl_module: L.LightningModule, *args: Any) -> None:
        """Note how long it took."""
        self.validation.append(self._lap(trainer))

    @property
    def step(self) -> float:
        """Seconds of a usual step with its waiting; the first one, in which much is set up, does not count."""
        both = [step + wait for step, wait in zip(self.steps, self.waits, strict=False)]
        return statistics.median(both[1:] or both or [0.0])

    def _lap(self, trainer: L.Trainer) -> float:
        if trainer.strategy.root_device.type == "cuda":
            torch.cuda.synchronize()
        now = time.perf_counter()
        passed, self._since = now - self._since, now
        return passed


def peak_memory() -> int:
    """Most bytes that this process has used so far: on the GPU if it has used one, else in main memory."""
    if torch.cuda.is_available() and torch.cuda.max_memory_reserved():
        return int(torch.cuda.max_memory_reserved())
    try:
        import resource  # not on Windows
    except ImportError:
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
