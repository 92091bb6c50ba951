"""Progress, on standard error: a bar on a terminal, plain lines in a log file."""

from __future__ import annotations

import math
import shutil
import sys
import time
from collections.abc import Sequence
from typing import Any

import lightning.pytorch as L
from lightning.pytorch.callbacks import ProgressBar, RichProgressBar

from foveate.pipeline.notes import note

SECONDS_BETWEEN_LINES = 15.0
NARROW, WIDE, WIDEST = 76, 110, 140  # terminal columns from which a line shows time, bar and speed
UNKNOWN = 200  # assumed columns of a log file


def create_progress() -> ProgressBar:
    """A rich progress bar on a terminal, else plain lines."""
    return RichProgress(console_kwargs={"stderr": True}) if sys.stderr.isatty() else PlainProgress()


def shown_metrics(trainer: L.Trainer) -> dict[str, str]:
    """Current loss, score in percent and learning rate, as text."""
    score = getattr(trainer.lightning_module, "monitor", None)
    shown = {}
    for name, value in trainer.progress_bar_metrics.items():
        is_score = name == score
        shown[name.removesuffix("_step")] = f"{100 * float(value):.1f} %" if is_score else f"{float(value):.3f}"
    if trainer.training and trainer.optimizers:
        shown["lr"] = f"{trainer.optimizers[0].param_groups[0]['lr']:.1e}"
    return shown


def counts_steps(trainer: L.Trainer) -> bool:
    """Whether the length of a run is given in steps, not in epochs."""
    return trainer.max_steps != -1


class RichProgress(RichProgressBar):
    """Lightning's bar with loss, score and learning rate; it counts steps if the run's length is given in steps."""

    @property
    def total_train_batches(self) -> int | float:
        """The bar's total: steps of the whole run, or batches of the epoch."""
        return self.trainer.estimated_stepping_batches if counts_steps(self.trainer) else super().total_train_batches

    def configure_columns(self, trainer: L.Trainer) -> list[Any]:
        """The columns of a line; on a narrow terminal without bar, speed and time."""
        description, bar, done, clock, speed = super().configure_columns(trainer)
        width = self._width()
        in_time = [clock] if width >= NARROW else []
        return [description, *([bar] if width >= WIDE else []), done, *in_time, *([speed] if width >= WIDEST else [])]

    def _width(self) -> int:
        return self._console.width if self._console else WIDEST

    def on_train_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Start a bar for the epoch, or continue that of the run."""
        if self.train_progress_bar_id is None or not counts_steps(trainer):
            super().on_train_epoch_start(trainer, pl_module)

    def _update(self, progress_bar_id: Any, current: int, visible: bool = True, hard: bool = False) -> None:
        if progress_bar_id == self.train_progress_bar_id and counts_steps(self.trainer):
            current = self.trainer.global_step
        super()._update(progress_bar_id, current, visible, hard)

    def _get_train_description(self, current_epoch: int) -> str:
        return "step" if counts_steps(self.trainer) else f"epoch {current_epoch + 1}"

    def get_metrics(self, trainer: L.Trainer, pl_module: L.LightningModule) -> dict[str, Any]:
        """The metrics shown after the bar."""
        step = {"step": str(trainer.global_step)} if trainer.training and not counts_steps(trainer) else {}
        shown = shown_metrics(trainer)
        if self._width() < WIDE:
            shown.pop("lr", None)
        return {**step, **shown}


class PlainProgress(ProgressBar):
    """Prints a line every 15 seconds, at validations and at the end.

    Args:
        every: Seconds between lines.
    """

    def __init__(self, every: float = SECONDS_BETWEEN_LINES) -> None:
        super().__init__()
        self.every = every
        self._enabled = True
        self._last_line = self._begun = 0.0
        self._first_step: int | None = None  # from which on steps are timed

    def disable(self) -> None:
        """Turn output off, since another process prints."""
        self._enabled = False

    def enable(self) -> None:
        """Turn output on again."""
        self._enabled = True

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Wait with the first line, and with timing."""
        self._last_line, self._first_step = time.monotonic(), None

    def on_train_batch_end(self, trainer: L.Trainer, *args: Any) -> None:
        """Print a line if enough time has passed."""
        if self._first_step is None:  # the first step prepares much, which takes minutes if a network is compiled
            self._begun, self._first_step = time.monotonic(), trainer.global_step
        if time.monotonic() - self._last_line >= self.every:
            self._line(trainer, self._pace(trainer))

    def on_validation_batch_end(self, trainer: L.Trainer, *args: Any) -> None:
        """Print a line if enough time has passed."""
        self._eval_line("validation", args[3], trainer.num_val_batches)

    def on_test_batch_end(self, trainer: L.Trainer, *args: Any) -> None:
        """Print a line if enough time has passed."""
        self._eval_line("test", args[3], trainer.num_test_batches)

    def on_predict_batch_end(self, trainer: L.Trainer, *args: Any) -> None:
        """Print a line if enough time has passed."""
        self._eval_line("prediction", args[3], trainer.num_predict_batches)

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Print the scores."""
        if not trainer.sanity_checking and trainer.state.fn == "fit":
            self._line(trainer, ["validated"])

    def _eval_line(self, stage: str, batch_idx: int, totals: Sequence[float]) -> None:
        """Print the progress of an evaluation if enough time has passed."""
        now = time.monotonic()
        if self._enabled and now - (self._last_line or now) >= self.every:
            self._last_line = now
            note(f"{stage} {batch_idx + 1}/{sum(totals):.0f}")
        self._last_line = self._last_line or now

    def _pace(self, trainer: L.Trainer) -> list[str]:
        done = trainer.global_step - (self._first_step or 0)
        if not done:
            return []
        rate = done / max(time.monotonic() - self._begun, 1e-9)
        left = (trainer.estimated_stepping_batches - trainer.global_step) / max(rate, 1e-9)
        return [f"{rate:.2f} steps/s", *([f"{_clock(left)} left"] if math.isfinite(left) else [])]

    def _line(self, trainer: L.Trainer, tail: Sequence[str]) -> None:
        if not self._enabled:
            return
        self._last_line = time.monotonic()
        total = trainer.estimated_stepping_batches
        metrics = [f"{name} {value}" for name, value in shown_metrics(trainer).items()]
        of = f"/{total:.0f}" if math.isfinite(total) else ""
        note(_fit([f"step {trainer.global_step}{of}", *metrics, *tail]))


def _fit(parts: Sequence[str]) -> str:
    """The parts joined to a line; on a narrow terminal without learning rate, speed and time left."""
    width = shutil.get_terminal_size((UNKNOWN, 24)).columns
    kept = list(parts)
    for needless in ("lr ", "steps/s", " left"):
        if len(" | ".join(kept)) > width:
            kept = [part for part in kept if needless not in part]
    return " | ".join(kept)


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(min(seconds, 359_999)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
