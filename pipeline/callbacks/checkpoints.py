"""What is kept of a run: checkpoints and the recipe beside them."""

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
        monitor: The metric, the higher the better.
        recipe: The recipe with everything spelled out.
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
        folder: Where it goes.
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
        """Save at the end of an epoch only where no validation follows, after which it is saved."""
        return not validates(trainer)

    def on_exception(self, trainer: L.Trainer, pl_module: L.LightningModule, exception: BaseException) -> None:
        """Save, but not what diverged: the checkpoint before is the last good one."""
        if not isinstance(exception, DivergedError):
            super().on_exception(trainer, pl_module, exception)
        last = Path(str(self.dirpath)) / "last.ckpt"
        if last.is_file():
            step = self._last_global_step_saved or self._first_step
            words = shlex.join(["foveate", "fit", "--ckpt_path", str(last)])
            exception.add_note(f"{LAST_GOOD}: {last} (step {step}); resume: {words}")

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Remember where this training begins: at the step of the checkpoint that it goes on from."""
        super().on_train_start(trainer, pl_module)
        self._first_step = trainer.global_step

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Save where the last steps came after the last validation."""
        if self._last_global_step_saved != trainer.global_step:
            self._save_topk_checkpoint(trainer, self._monitor_candidates(trainer))


class RecipeKeeper(Callback):
    """Write the resolved recipe beside the checkpoints and into each of them, and point `latest` to a run that trains.

    Args:
        run: The run directory.
        recipe: The recipe with everything spelled out.
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
        """Remember where this training begins."""
        self._first_step = trainer.global_step

    def on_train_batch_end(self, trainer: L.Trainer, *args: Any) -> None:
        """Point `latest` to the run after its first step: a start that failed leaves it where it was."""
        if self._first_step is not None and trainer.global_step > self._first_step:
            self._first_step = None
            if trainer.is_global_zero:
                point_latest(self.run)

    def on_save_checkpoint(self, trainer: L.Trainer, pl_module: L.LightningModule, checkpoint: dict[str, Any]) -> None:
        """Add the recipe to a checkpoint."""
        checkpoint[RECIPE_KEY] = self.recipe
