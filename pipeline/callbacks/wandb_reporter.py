"""Sends to W&B what is more than a number: scores by class, confusion, checkpoints, data, the summary, alerts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import lightning.pytorch as L
import numpy as np
from lightning.pytorch.callbacks import Callback, Checkpoint, ModelCheckpoint

from foveate.datasets.fingerprint import take_fingerprint
from foveate.pipeline.callbacks.confusion_picture import draw_confusion, most_confused
from foveate.pipeline.callbacks.sample_drawer import wandb_loggers
from foveate.pipeline.errors import DivergedError, Stopped
from foveate.pipeline.loggers.summary_page import page_of
from foveate.pipeline.loggers.wandb import WandbLogger
from foveate.pipeline.metrics.report import Report
from foveate.pipeline.runs.directories import CHECKPOINTS
from foveate.pipeline.runs.revision import find_revision
from foveate.pipeline.runs.store import BEST, LAST, step_of
from foveate.pipeline.text import first_line

KEY = "foveate_wandb"  # the key of the W&B run's id in a checkpoint
CONFUSED = 50  # most rows of the table of confused classes
PAGES = ("summary.md", "curves.png", "recipe.yaml", "metrics.csv")


class WandbReporter(Callback):
    """Sends a run to W&B; every call is guarded, so that nothing here can end a training.

    Args:
        run: The run directory.
        best: The callback that saves best.ckpt, if there is one.
    """

    def __init__(self, run: Path, best: ModelCheckpoint | None) -> None:
        self.run = run
        self.best = best
        self._score: float | None = None

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Add git revision and data to the run's configuration, and the data to its lineage."""
        for logger in self._loggers(trainer):
            logger.guard.call(self._describe, logger, trainer, seconds=300.0)

    def _describe(self, logger: WandbLogger, trainer: L.Trainer) -> None:
        revision = find_revision(Path.cwd())
        logger.describe({"git": None if revision is None else asdict(revision)})
        data: Any = trainer.datamodule  # type: ignore[attr-defined]
        if data is None:
            return
        found = take_fingerprint(data)
        facts = {"sha256": found.sha256, "root": str(getattr(data, "root", "") or "")}
        splits = {name: asdict(split) for name, split in found.splits.items()}
        logger.describe({"data_fingerprint": {**facts, "splits": splits}})
        logger.use_data(f"{found.kind}-data", found.as_json(), {**facts, "splits": splits})

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Send scores by class, and checkpoints if each is to be sent."""
        if trainer.sanity_checking:
            return
        report: Report | None = getattr(pl_module, "report_of_scores", lambda: None)()
        score = trainer.callback_metrics.get(str(getattr(pl_module, "monitor", "")))
        self._score = None if score is None else float(score)
        for logger in self._loggers(trainer):
            if report is not None:
                logger.guard.call(_send_scores, logger, report, trainer.global_step)
            if logger.uploads == "all" and trainer.training:
                self._send_newest(logger, trainer.global_step)

    def on_exception(self, trainer: L.Trainer, pl_module: L.LightningModule, exception: BaseException) -> None:
        """Send an alert; after a signal, say that the run will go on."""
        at = f"at step {trainer.global_step}"
        for logger in self._loggers(trainer):
            if isinstance(exception, Stopped):
                logger.mark_preempting()
                logger.alert(f"stopped {at}", str(exception), "WARN")
            else:
                title = "diverged" if isinstance(exception, DivergedError) else "failed"
                logger.alert(f"{title} {at}", first_line(exception), "ERROR")

    def on_save_checkpoint(self, trainer: L.Trainer, pl_module: L.LightningModule, checkpoint: dict[str, Any]) -> None:
        """Store the id of the W&B run, so that a training that goes on elsewhere continues it."""
        for logger in self._loggers(trainer):
            if logger.version:
                checkpoint[KEY] = str(logger.version)

    def conclude(self, trainer: L.Trainer, task: L.LightningModule) -> None:
        """Send the summary, the best score and checkpoints, and end the run.

        Args:
            trainer: The trainer, after a training that went well.
            task: The task that was trained.
        """
        for logger in self._loggers(trainer):
            logger.guard.call(self._send_summary, logger)
            if self.best is not None and self.best.best_model_score is not None:
                score = float(self.best.best_model_score)
                logger.conclude({f"best/{self.best.monitor}": score})
            if logger.uploads:
                self._send_all(logger)
            told = "" if self._score is None else f", {getattr(task, 'monitor', 'score')} {self._score:.4f}"
            logger.alert(
                "finished", f"{self.run.parent.name}/{self.run.name}: step {trainer.global_step}{told}", "INFO"
            )
            logger.end()

    def _send_summary(self, logger: WandbLogger) -> None:
        import wandb

        path = self.run / "summary.md"
        if path.is_file():
            page = page_of(path.read_text(encoding="utf-8"), self.run)
            logger.log_objects({"report": wandb.Html(page, inject=False)})
        files = {name: self.run / name for name in PAGES if (self.run / name).is_file()}
        files |= {found.name: found for found in self.run.glob("val-*.json")}
        logger.log_files("report", "report", files, ["latest"], {})

    def _send_newest(self, logger: WandbLogger, step: int) -> None:
        """Send the checkpoint of a validation: best.ckpt if it is the best so far, or last.ckpt."""
        is_best = self.best is not None and self.best._last_global_step_saved == step
        self._send(logger, BEST if is_best else LAST, ["latest", *(["best"] if is_best else [])], self._score)

    def _send_all(self, logger: WandbLogger) -> None:
        """Send best.ckpt, then last.ckpt: W&B itself calls the newest one the latest."""
        best = self.best
        folder = self.run / CHECKPOINTS
        is_last = step_of(folder / BEST) == step_of(folder / LAST)
        if best is not None and best.best_model_score is not None:
            self._send(logger, BEST, ["best", "latest"] if is_last else ["best"], float(best.best_model_score))
        if not is_last:
            self._send(logger, LAST, ["latest"], self._score)

    def _send(self, logger: WandbLogger, name: str, aliases: Sequence[str], score: float | None) -> None:
        path = self.run / CHECKPOINTS / name
        if path.is_file():
            metadata = {
                "step": step_of(path),
                "score": score,
                "monitor": None if self.best is None else self.best.monitor,
            }
            logger.log_files("model", "model", {"model.ckpt": path}, aliases, {**metadata, "file": name})

    @staticmethod
    def _loggers(trainer: L.Trainer) -> list[WandbLogger]:
        return list(wandb_loggers(trainer)) if trainer.is_global_zero else []


class LateWandbReporter(WandbReporter, Checkpoint):
    """The same in a training that saves checkpoints: Lightning calls checkpoint callbacks last, in the given order."""


def conclude(trainer: L.Trainer, task: L.LightningModule) -> None:
    """Send the end of a training to W&B, if it is used.

    Args:
        trainer: The trainer, after a training that went well.
        task: The task that was trained.
    """
    for callback in trainer.callbacks:  # type: ignore[attr-defined]
        if isinstance(callback, WandbReporter):
            callback.conclude(trainer, task)


def known_run(checkpoint: Mapping[str, Any]) -> str | None:
    """The id of the W&B run that a checkpoint's training was logged to.

    Args:
        checkpoint: The content of the checkpoint.
    """
    found = checkpoint.get(KEY)
    return found if isinstance(found, str) else None


def _send_scores(logger: WandbLogger, report: Report, step: int) -> None:
    import wandb

    columns: list[str | int] = ["class", *(f"{column} %" for column in report.columns)]
    table = wandb.Table(columns=columns, data=[[name, *map(_percent, figures)] for name, figures in report.rows])
    first = report.columns[0]
    objects: dict[str, Any] = {
        "val/classes": table,
        f"val/{first}_of_classes": wandb.plot.bar(table, "class", f"{first} %", title=f"val {first} of each class"),
    }
    confusion = report.figures.get("confusion")
    if confusion:
        counts, names = np.array(confusion), [name for name, _ in report.rows]
        title = f"step {step}: share of each true class (row) by predicted class (column)"
        objects["val/confusion"] = wandb.Image(draw_confusion(counts, names, title))
        rows = [
            [truth, said, 100 * share, count] for truth, said, share, count in most_confused(counts, names, CONFUSED)
        ]
        objects["val/most_confused"] = wandb.Table(columns=["true", "predicted", "share of true %", "count"], data=rows)
    logger.log_objects(objects, step)


def _percent(value: float) -> float | None:
    return None if value != value else round(100 * value, 3)
