"""Progress: a bar on a terminal, plain lines in a log file."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import Any

import lightning.pytorch as L
from lightning.pytorch.callbacks import ProgressBar, RichProgressBar

SECONDS_BETWEEN_LINES = 15.0


def create_progress() -> ProgressBar:
    """A rich bar where somebody watches, else plain lines."""
    return RichProgress() if sys.stdout.isatty() else PlainProgress()


def shown_metrics(trainer: L.Trainer) -> dict[str, str]:
    """Loss, score and learning rate of the moment, as text."""
    shown = {}
    for name, value in trainer.progress_bar_metrics.items():
        shown[name.removesuffix("_step")] = f"{float(value):.3f}"
    if trainer.training and trainer.optimizers:
        shown["lr"] = f"{trainer.optimizers[0].param_groups[0]['lr']:.1e}"
    return shown


class RichProgress(RichProgressBar):
    """Lightning's bar with the step and the learning rate beside loss and score."""

    def _get_train_description(self, current_epoch: int) -> str:
        return f"Epoch {current_epoch}"  # the length of a run is counted in steps

    def get_metrics(self, trainer: L.Trainer, pl_module: L.LightningModule) -> dict[str, Any]:
        """What stands behind the bar."""
        step = f"{trainer.global_step}/{trainer.estimated_stepping_batches:.0f}" if trainer.training else ""
        return {"step": step, **shown_metrics(trainer)}


class PlainProgress(ProgressBar):
    """A line every quarter of a minute, at validations and at the end.

    Args:
        every: Seconds between lines.
    """

    def __init__(self, every: float = SECONDS_BETWEEN_LINES) -> None:
        super().__init__()
        self.every = every
        self._enabled = True
        self._last_line = self._begun = 0.0
        self._first_step = 0

    def disable(self) -> None:
        """Print nothing: another process does."""
        self._enabled = False

    def enable(self) -> None:
        """Print again."""
        self._enabled = True

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Start the clock."""
        self._begun = self._last_line = time.monotonic()
        self._first_step = trainer.global_step

    def on_train_batch_end(self, trainer: L.Trainer, *args: Any) -> None:
        """Print a line when it is time."""
        if time.monotonic() - self._last_line >= self.every:
            self._line(trainer, self._pace(trainer))

    def on_validation_batch_end(self, trainer: L.Trainer, *args: Any) -> None:
        """Print a line when it is time."""
        self._eval_line("validation", args[3], trainer.num_val_batches)

    def on_test_batch_end(self, trainer: L.Trainer, *args: Any) -> None:
        """Print a line when it is time."""
        self._eval_line("test", args[3], trainer.num_test_batches)

    def on_predict_batch_end(self, trainer: L.Trainer, *args: Any) -> None:
        """Print a line when it is time."""
        self._eval_line("prediction", args[3], trainer.num_predict_batches)

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Print the scores."""
        if not trainer.sanity_checking and trainer.state.fn == "fit":
            self._line(trainer, "validated")

    def _eval_line(self, stage: str, batch_idx: int, totals: Sequence[float]) -> None:
        """How far an evaluation is, if the last line is long ago."""
        now = time.monotonic()
        if self._enabled and now - (self._last_line or now) >= self.every:
            self._last_line = now
            print(f"{stage} {batch_idx + 1}/{sum(totals):.0f}", flush=True)
        self._last_line = self._last_line or now

    def _pace(self, trainer: L.Trainer) -> str:
        done = trainer.global_step - self._first_step
        rate = done / max(time.monotonic() - self._begun, 1e-9)
        left = (trainer.estimated_stepping_batches - trainer.global_step) / max(rate, 1e-9)
        return f"{rate:.2f} steps/s | {_clock(left)} left"

    def _line(self, trainer: L.Trainer, tail: str) -> None:
        if not self._enabled:
            return
        self._last_line = time.monotonic()
        total = trainer.estimated_stepping_batches
        metrics = " | ".join(f"{name} {value}" for name, value in shown_metrics(trainer).items())
        print(f"step {trainer.global_step}/{total:.0f} | {metrics} | {tail}", flush=True)


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(min(seconds, 359_999)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
