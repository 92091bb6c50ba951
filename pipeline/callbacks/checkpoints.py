"""Saves the checkpoints of a run, and its recipe."""

from __future__ import annotations

import copy
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from weakref import proxy

import lightning.pytorch as L
import torch
from lightning.pytorch.callbacks import Callback, ModelCheckpoint
from lightning.pytorch.strategies import DDPStrategy
from lightning.pytorch.trainer.states import TrainerFn
from torch import Tensor

from foveate.pipeline.callbacks.final_validation import validates
from foveate.pipeline.callbacks.score_keeper import ScoreKeeper
from foveate.pipeline.errors import LAST_GOOD, ConfigError, DivergedError, FoveateError, MachineError
from foveate.pipeline.files import write_text
from foveate.pipeline.processes.agreement import agree
from foveate.pipeline.runs.checkpoints import RECIPE_KEY
from foveate.pipeline.runs.directories import CHECKPOINTS, RECIPE, point_latest
from foveate.pipeline.runs.recipes import Recipe, dump_recipe
from foveate.pipeline.runs.store import LAST, newest_good, step_of


@dataclass(frozen=True)
class SavingOptions:
    """When last.ckpt is written, besides after each validation and at the end.

    Args:
        every_steps: Optimiser steps between two writes.
        every_minutes: Minutes between two writes.

    Raises:
        ConfigError: A number is too small.
    """

    every_steps: int | None = None
    every_minutes: float | None = 10.0

    def __post_init__(self) -> None:
        if (self.every_steps is not None and self.every_steps < 1) or (
            self.every_minutes is not None and self.every_minutes <= 0
        ):
            raise ConfigError(f"checkpoints: every_steps is at least 1, every_minutes above 0, or null, not {self}")


MOST_FAILURES = 3  # saves that may fail one after the other, before the training ends


def create_checkpoints(run: Path, monitor: str, recipe: Recipe) -> tuple[BestCheckpoint, LastCheckpoint, ScoreKeeper]:
    """Keep the best checkpoint by a metric and the last one, also when an exception ends the run, and their scores.

    Args:
        run: The run directory.
        monitor: The metric; higher is better.
        recipe: The recipe, with all defaults filled in.
    """
    folder = run / CHECKPOINTS
    best = BestCheckpoint(
        dirpath=folder,
        filename="best",
        monitor=monitor,
        mode="max",
        save_top_k=1,
        auto_insert_metric_name=False,
        enable_version_counter=False,
        save_on_train_epoch_end=False,  # but after each validation, the last one too
    )
    last = LastCheckpoint(folder)
    best.told = last.told = []
    return best, last, ScoreKeeper(run, recipe, best)


class SavingCallback(ModelCheckpoint):
    """A checkpoint callback that goes on training if the disk is full, and tries again at its next save.

    Attributes:
        failures: Saves that failed one after the other.
        told: Whether a failure was printed, by any of these callbacks.
    """

    failures = 0
    told: list[bool]

    def _save_checkpoint(self, trainer: L.Trainer, filepath: str) -> None:
        """Save; all processes learn whether the first one could.

        Raises:
            MachineError: It failed too often.
            DivergedError: Weights are not finite.
        """
        failure: OSError | DivergedError | None = None
        checkpoint = trainer._checkpoint_connector.dump_checkpoint(self.save_weights_only)
        try:
            trainer.strategy.save_checkpoint(checkpoint, filepath)
        except (OSError, DivergedError) as error:
            failure = error
        full, diverged = agree(trainer, isinstance(failure, OSError), isinstance(failure, DivergedError))
        if diverged:
            raise failure or DivergedError("weights are not finite, as the first process says")
        self.failures = self.failures + 1 if full else 0
        if full:
            self._bear(trainer, failure)
            return
        self._last_global_step_saved, self._last_checkpoint_saved = trainer.global_step, filepath
        for logger in trainer.loggers if trainer.is_global_zero else ():
            logger.after_save_checkpoint(proxy(self))

    def _bear(self, trainer: L.Trainer, failure: Exception | None) -> None:
        if self.failures >= MOST_FAILURES:
            raise MachineError(f"{self.failures} checkpoints in a row could not be written: {failure}") from failure
        if not self.told and trainer.is_global_zero:
            self.told.append(True)
            _say(f"a checkpoint cannot be written ({failure}); the training goes on, and the next save tries again")


class BestCheckpoint(SavingCallback):
    """Keep `best.ckpt`: the weights of the best validation."""

    @property
    def state_key(self) -> str:
        """The name of its state in checkpoints, as in those of earlier versions."""
        return super().state_key.replace(type(self).__qualname__, ModelCheckpoint.__qualname__, 1)

    def _update_best_and_save(self, current: Tensor, trainer: L.Trainer, monitor_candidates: dict[str, Tensor]) -> None:
        """Save; a score that is not a number is never the best, and a save that failed leaves the best one so far."""
        if not torch.isfinite(torch.as_tensor(current)):
            return
        names = ("best_k_models", "kth_best_model_path", "kth_value", "best_model_path", "best_model_score")
        before = {name: copy.copy(getattr(self, name)) for name in names}
        super()._update_best_and_save(current, trainer, monitor_candidates)
        if self.failures:
            vars(self).update(before)


class LastCheckpoint(SavingCallback):
    """Keep `last.ckpt`: after each validation, at the end, and when an exception or a signal ends the run.

    Args:
        folder: The folder of the file.
        resume: The command that goes on from this folder; `foveate fit` if not given.
    """

    def __init__(self, folder: Path, resume: str | None = None) -> None:
        super().__init__(
            dirpath=folder,
            filename="last",
            monitor=None,
            save_top_k=1,
            save_on_exception=True,
            enable_version_counter=False,
        )
        self.path = folder / LAST
        self.resume = resume
        self.told = []

    def save(self, trainer: L.Trainer) -> None:
        """Save, in all processes together.

        Args:
            trainer: The trainer.

        Raises:
            MachineError: It failed too often.
            DivergedError: Weights are not finite.
        """
        self._save_checkpoint(trainer, str(self.path))

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Save, also if weights of this step were saved: now the best score so far is in the checkpoint too."""
        if not trainer.sanity_checking and trainer.state.fn == TrainerFn.FITTING:
            self.save(trainer)

    def _should_save_on_train_epoch_end(self, trainer: L.Trainer) -> bool:
        """Save at the end of an epoch only if no validation follows, since a checkpoint is saved after validation."""
        return not validates(trainer)

    def on_exception(self, trainer: L.Trainer, pl_module: L.LightningModule, exception: BaseException) -> None:
        """Save, except after divergence: then the previous checkpoint is the last good one."""
        if self._should_save_on_exception(trainer) and not _is_lost(exception):
            try:
                self._save_alone_or_together(trainer, exception)
            except (OSError, FoveateError) as error:
                exception.add_note(f"no checkpoint of step {trainer.global_step}: {error}")
        found = newest_good(self.path.parent)
        if found is not None:
            words = self.resume or shlex.join(["foveate", "fit", "--ckpt_path", str(found)])
            step = step_of(found)
            at = "" if step is None else f" (step {step})"
            exception.add_note(f"{LAST_GOOD}: {found}{at}; resume: {words}")

    def _save_alone_or_together(self, trainer: L.Trainer, exception: BaseException) -> None:
        """Save; if this process alone has failed, without a word to the others, who may wait for something else."""
        if trainer.world_size == 1 or getattr(exception, "agreed", False):
            self.save(trainer)
        elif trainer.is_global_zero and isinstance(trainer.strategy, DDPStrategy):  # its weights are everybody's
            checkpoint = trainer._checkpoint_connector.dump_checkpoint(False)
            trainer.strategy.save_checkpoint(checkpoint, str(self.path))
            self._last_global_step_saved = trainer.global_step

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Save if there were steps after the last validation.

        Raises:
            MachineError: It cannot be written, and there is no later save that could try again.
        """
        if self._last_global_step_saved != trainer.global_step:
            self.save(trainer)
        if self.failures:
            raise MachineError(f"{self.path}: the checkpoint of the last step could not be written; free some space")


def _is_lost(exception: BaseException) -> bool:
    """Whether nothing is to be saved: after divergence, and after a second signal."""
    return isinstance(exception, DivergedError) or bool(getattr(exception, "at_once", False))


def _say(text: str) -> None:
    print(f"foveate: warning: {text}", file=sys.stderr, flush=True)


class RecipeKeeper(Callback):
    """Write the resolved recipe into the run and into each checkpoint, and point `latest` to the run once it trains.

    Args:
        run: The run directory.
        recipe: The recipe, with all defaults filled in.
    """

    def __init__(self, run: Path, recipe: Recipe) -> None:
        self.run = run
        self.recipe = recipe
        self._first_step: int | None = None

    def setup(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        """Write the file and tell the loggers, in the first process only."""
        if not trainer.is_global_zero or stage != "fit":
            return
        write_text(self.run / RECIPE, dump_recipe(self.recipe))
        for logger in trainer.loggers:
            logger.log_hyperparams({"recipe": self.recipe})

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Store the first step of this training."""
        self._first_step = trainer.global_step

    def on_train_batch_end(self, trainer: L.Trainer, *args: Any) -> None:
        """Point `latest` to the run after its first step; a failed start does not change it."""
        if self._first_step is not None and trainer.global_step > self._first_step:
            self._first_step = None
            if trainer.is_global_zero:
                point_latest(self.run)

    def on_save_checkpoint(self, trainer: L.Trainer, pl_module: L.LightningModule, checkpoint: dict[str, Any]) -> None:
        """Add the recipe to a checkpoint."""
        checkpoint[RECIPE_KEY] = self.recipe
