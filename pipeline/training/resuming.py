"""Checks whether a training can resume from a checkpoint, and whether any steps are left."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import lightning.pytorch as L

from foveate.pipeline.callbacks.final_validation import validation_is_due
from foveate.pipeline.errors import CheckpointError

STATE = ("optimizer_states", "lr_schedulers", "loops", "global_step", "pytorch-lightning_version")


def check_resumable(checkpoint: Mapping[str, Any], path: Path) -> None:
    """Check that a checkpoint holds the state of the training, not weights alone.

    Args:
        checkpoint: The content of the checkpoint.
        path: Its file.

    Raises:
        CheckpointError: The state of the optimiser or of the loops is missing, or an old version of Lightning wrote it.
    """
    version = str(checkpoint.get("pytorch-lightning_version", ""))
    missing = [name for name in STATE if name not in checkpoint]
    advice = f"start a training from its weights instead: foveate fit --config RECIPE --model.weights {path}"
    if version.startswith(("0.", "1.")):
        raise CheckpointError(f"{path}: written by Lightning {version}, which cannot be gone on with here; {advice}")
    if missing or not checkpoint["optimizer_states"]:
        lacking = ", ".join(missing) or "optimizer_states"
        raise CheckpointError(f"{path}: holds weights, but not where the training was ({lacking}); {advice}")


def nothing_left(trainer: L.Trainer, checkpoint: Mapping[str, Any], path: Path) -> str | None:
    """Why a training would end at once, and how to continue; None if there are steps left.

    Args:
        trainer: The trainer with its limits.
        checkpoint: The content of the checkpoint.
        path: Its file.
    """
    if validation_is_due(checkpoint):
        return None
    step, epoch = int(checkpoint["global_step"]), int(checkpoint.get("epoch", 0))
    steps, epochs = trainer.max_steps, trainer.max_epochs
    again = f"foveate fit --ckpt_path {path} --trainer"
    if 0 <= steps <= step:
        more = f"{again}.max_steps {2 * step or 1000}"
        return f"{path}: at step {step}, nothing is left to train up to --trainer.max_steps {steps}; to go on: {more}"
    done = epoch + 1 if _epoch_is_complete(checkpoint) else epoch
    if steps < 0 and epochs is not None and 0 <= epochs <= done:
        more = f"{again}.max_epochs {2 * done or 1}"
        return f"{path}: after {done} epochs, nothing is left up to --trainer.max_epochs {epochs}; to go on: {more}"
    return None


def _epoch_is_complete(checkpoint: Mapping[str, Any]) -> bool:
    """Whether the checkpoint was written after the last step of its epoch."""
    try:
        progress = checkpoint["loops"]["fit_loop"]["epoch_progress"]["current"]
        return bool(progress["processed"] > checkpoint["epoch"])
    except (KeyError, TypeError):
        return False
