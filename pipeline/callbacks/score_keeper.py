"""Writes the score files of a training, for its best and its last weights."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import lightning.pytorch as L
from lightning.pytorch.callbacks import Checkpoint, ModelCheckpoint

from foveate.pipeline.callbacks.extremes import keep_extremes
from foveate.pipeline.metrics.report import Report, add_intervals
from foveate.pipeline.optional_files import OptionalFiles
from foveate.pipeline.per_image.figures import intervals_of
from foveate.pipeline.per_image.files import read_record, record_beside, write_record
from foveate.pipeline.per_image.record import Record
from foveate.pipeline.runs.directories import CHECKPOINTS
from foveate.pipeline.runs.recipes import Recipe
from foveate.pipeline.runs.scores import (
    Evaluation,
    describe_data,
    describe_settings,
    read_scores,
    tell_apart,
    write_scores,
)


class ScoreKeeper(Checkpoint):
    """Write the scores of each validation as those of last.ckpt, and of best.ckpt if they are the best so far.

    It is a checkpoint callback because Lightning calls those last, in the given order: when this one is called, the
    checkpoints of the validation have been written.

    Args:
        run: The run directory.
        recipe: The recipe, with all defaults filled in.
        best: The callback that saves best.ckpt.
    """

    def __init__(self, run: Path, recipe: Recipe, best: ModelCheckpoint) -> None:
        self.run = run
        self.recipe = recipe
        self.best = best
        self.files = OptionalFiles("score files")

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Write the files, in the first process only."""
        report: Report | None = getattr(pl_module, "report_of_scores", lambda: None)()
        if trainer.sanity_checking or not trainer.is_global_zero or report is None:
            return
        step = trainer.global_step
        for which in ["last", *(["best"] if self.best._last_global_step_saved == step and step else [])]:
            with self.files.attempt():
                path = write_scores(self.run, self._describe(trainer, which, report), report, keep=False)
                record: Record | None = getattr(pl_module, "record", None)
                if record is not None:
                    write_record(record_beside(path), record)
                keep_extremes(path, trainer)

    def complete(self, which: str) -> tuple[Evaluation, Report] | None:
        """The same as `read`, after the 95 % intervals were added to the file: once, at the end of a training.

        Args:
            which: best or last.
        """
        found = self.read(which)
        path = self.run / f"{'-'.join(['val', which, *self._differences()])}.json"
        if found is None or "interval" in found[1].figures or not record_beside(path).is_file():
            return found
        evaluation, report = found
        with self.files.attempt():
            report = add_intervals(report, intervals_of(read_record(record_beside(path))))
            write_scores(self.run, replace(evaluation, differences=tuple(self._differences())), report, keep=False)
        return evaluation, report

    def read(self, which: str) -> tuple[Evaluation, Report] | None:
        """The scores of `best` or `last`, including those written before the training was resumed."""
        return read_scores(self.run / f"{'-'.join(['val', which, *self._differences()])}.json")

    def _describe(self, trainer: L.Trainer, which: str, report: Report) -> Evaluation:
        return describe_evaluation(
            trainer,
            report,
            self.recipe,
            split="val",
            checkpoint=self.run / CHECKPOINTS / f"{which}.ckpt",
            step=trainer.global_step,
            differences=self._differences(),
        )

    def _differences(self) -> list[str]:
        return tell_apart(self.recipe, self.recipe)


def describe_evaluation(
    trainer: L.Trainer,
    report: Report,
    recipe: Recipe,
    *,
    split: str,
    checkpoint: Path,
    step: int,
    engine: str = "torch",
    differences: list[str] | None = None,
) -> Evaluation:
    """A description of what a trainer has just scored, and how.

    Args:
        trainer: The trainer, after its evaluation.
        report: The scores.
        recipe: The recipe, with all defaults filled in.
        split: val or test.
        checkpoint: File of the weights.
        step: Optimiser steps that they were trained for.
        engine: The engine that ran the network.
        differences: How data and settings differ from the run's own (see `tell_apart`).
    """
    images, of_images = count_images(trainer, split)
    pixels = sum(report.figures["pixels"].values()) if "pixels" in report.figures else None
    in_run = checkpoint.parent.name == CHECKPOINTS
    return Evaluation(
        checkpoint=Path(*checkpoint.parts[-4:] if in_run else checkpoint.parts).as_posix(),
        step=step,
        split=split,
        scored_split=scored_split(getattr(trainer, "datamodule", None), split),
        data=describe_data(recipe),
        images=images,
        of_images=of_images,
        pixels=pixels,
        settings=describe_settings(recipe, split, engine),
        differences=tuple(differences or ()),
    )


def count_images(trainer: L.Trainer, split: str) -> tuple[int | None, int | None]:
    """How many images of a split were scored, and how many it has; None if unknown.

    Args:
        trainer: The trainer, after an evaluation of the split.
        split: val or test.
    """
    loader: Any = trainer.val_dataloaders if split == "val" else trainer.test_dataloaders
    batches = trainer.num_val_batches if split == "val" else trainer.num_test_batches
    try:
        total, each = len(loader.dataset), int(loader.batch_size)
        most = sum(batches) * each * trainer.world_size
    except (AttributeError, TypeError, OverflowError):
        return None, None
    return int(min(total, most)), total


def scored_split(data: Any, split: str) -> str:
    """The split that was actually scored: val if the data module has no labelled test split and uses val instead.

    Args:
        data: The data module, after an evaluation of `split`.
        split: val or test.
    """
    if split != "test" or not hasattr(data, "samples"):
        return split
    try:
        data.setup("validate")
        first = [data.samples(name, 1)[0]["path"] for name in ("test", "val")]
    except Exception:  # a user's data module without a val split or without paths: nothing to compare
        return split
    return "val" if first[0] == first[1] else "test"
