"""Says why a training ended, and how to continue it."""

from __future__ import annotations

from pathlib import Path

import lightning.pytorch as L
from lightning.pytorch.callbacks import EarlyStopping, Timer

from foveate.pipeline.runs.directories import CHECKPOINTS, RUNS, short

UNLIMITED = (None, -1)


def tell_end(trainer: L.Trainer, run: Path, first_step: int) -> str:
    """One line: how many steps were done, why it ended, and how to continue.

    Args:
        trainer: The trainer, after the training.
        run: The run directory.
        first_step: The step at which this training began.
    """
    step, done = trainer.global_step, trainer.global_step - first_step
    if not done and not step:
        begin = "no step was trained"
    elif not done:
        begin = f"nothing was left to train after step {step}"
    else:
        begin = f"ended at step {step}"
    return f"{begin}: {_why(trainer)}. Go on with: {_how(trainer, run)}"


def _why(trainer: L.Trainer) -> str:
    if trainer.max_steps not in UNLIMITED and trainer.global_step >= trainer.max_steps:
        return f"max_steps {trainer.max_steps} is reached"
    if trainer.max_epochs is not None and trainer.max_epochs != -1 and trainer.current_epoch >= trainer.max_epochs:
        return f"max_epochs {trainer.max_epochs} is reached"
    if trainer.limit_train_batches == 0:
        return "limit_train_batches is 0"
    for callback in trainer.callbacks:  # type: ignore[attr-defined]
        if isinstance(callback, Timer) and _is_over(callback):
            return f"max_time is over ({callback.time_elapsed() / 60:.1f} minutes)"
        if isinstance(callback, EarlyStopping) and callback.wait_count >= callback.patience:
            return f"early stopping: {callback.monitor} did not improve in {callback.wait_count} validations"
    return "a callback stopped it" if trainer.should_stop else "no training batch was left"


def _is_over(timer: Timer) -> bool:
    left = timer.time_remaining()
    return left is not None and left <= 0


def _how(trainer: L.Trainer, run: Path) -> str:
    """The command that continues the training, with twice the limit that was reached."""
    is_latest = (Path(RUNS) / "latest").resolve() == run.resolve()
    which = "last" if is_latest else short(run / CHECKPOINTS / "last.ckpt")
    words = ["foveate fit --ckpt_path", which]
    reached_epochs = trainer.max_epochs not in UNLIMITED and trainer.current_epoch >= (trainer.max_epochs or 0)
    if trainer.max_steps not in UNLIMITED and trainer.global_step >= trainer.max_steps:
        words.append(f"--trainer.max_steps {2 * trainer.global_step or 1000}")
    elif reached_epochs:
        words.append(f"--trainer.max_epochs {2 * trainer.current_epoch or 10}")
    elif trainer.limit_train_batches == 0:
        words.append("--trainer.limit_train_batches 1.0")
    else:
        timers = [found for found in trainer.callbacks if isinstance(found, Timer)]  # type: ignore[attr-defined]
        words += [f"--trainer.max_time {_days(2 * found.time_elapsed() + 60)}" for found in timers[:1]]
    return " ".join(words)


def _days(seconds: float) -> str:
    """A duration as the trainer takes it, DD:HH:MM:SS.

    Example:
        >>> _days(90061)
        '01:01:01:01'
    """
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    return f"{days:02d}:{hours:02d}:{minutes:02d}:{rest:02d}"
