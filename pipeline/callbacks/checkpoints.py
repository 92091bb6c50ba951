"""Saves the checkpoints of a run, and its recipe."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import lightning.pytorch as L
from lightning.pytorch.callbacks import Callback, ModelCheckpoint

from foveate.pipeline.callbacks.final_validation import validates
from foveate.pipeline.callbacks.score_keeper import ScoreKeeper
from foveate.pipeline.errors import LAST_GOOD, DivergedError
from foveate.pipeline.files import write_text
from foveate.pipeline.runs.checkpoints import RECIPE_KEY
from foveate.pipeline.runs.directories import CHECKPOINTS, RECIPE, point_latest
from foveate.pipeline.runs.recipes import Recipe, dump_recipe


def create_checkpoints(run: Path, monitor: str, recipe: Recipe) -> list[Callback]:
    """Keep the best checkpoint by a metric and the last one, also when an exception ends the run, and their scores.

    Args:
        run: The run directory.
        monitor: The metric; higher is better.
        recipe: The recipe, with all defaults filled in.
    """
    folder = run / CHECKPOINTS
    best = ModelCheckpoint(
        dirpath=folder,
        filename="best",
        monitor=monitor,
        mode="max",
        save_top_k=1,
        auto_insert_metric_name=False,
        enable_version_counter=False,
        save_on_train_epoch_end=False,  # but after each validation, the last one too
    )
    return [best, LastCheckpoint(folder), ScoreKeeper(run, recipe, best)]


class LastCheckpoint(ModelCheckpoint):
    """Keep `last.ckpt`: after each validation, at the end, and when an exception or Ctrl-C ends the run.

    Args:
        folder: The folder of the file.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(
            dirpath=folder,
            filename="last",
            monitor=None,
            save_top_k=1,
            save_on_exception=True,
            enable_version_counter=False,
        )
        self._first_step = 0

    def _should_save_on_train_epoch_end(self, trainer: L.Trainer) -> bool:
        """Save at the end of an epoch only if no validation follows, since a checkpoint is saved after validation."""
        return not validates(trainer)

    def on_exception(self, trainer: L.Trainer, pl_module: L.LightningModule, exception: BaseException) -> None:
        """Save, except after divergence: then the previous checkpoint is the last good one."""
        if not isinstance(exception, DivergedError):
            super().on_exception(trainer, pl_module, exception)
        last = Path(str(self.dirpath)) / "last.ckpt"
        if last.is_file():
            step = self._last_global_step_saved or self._first_step
            words = shlex.join(["foveate", "fit", "--ckpt_path", str(last)])
            exception.add_note(f"{LAST_GOOD}: {last} (step {step}); resume: {words}")

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Store the first step of this training: that of the checkpoint it resumes from."""
        super().on_train_start(trainer, pl_module)
        self._first_step = trainer.global_step

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Save if there were steps after the last validation."""
        if self._last_global_step_saved != trainer.global_step:
            self._save_topk_checkpoint(trainer, self._monitor_candidates(trainer))


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
