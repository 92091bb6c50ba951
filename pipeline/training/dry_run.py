"""Tells what a training will take, after a few of its steps."""

from __future__ import annotations

import math
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from foveate.pipeline.callbacks.dry_run import DryRun, peak_memory
from foveate.pipeline.measuring.batch_size import free_memory
from foveate.pipeline.text import duration
from foveate.pipeline.training.batches import accumulated
from foveate.pipeline.training.preflight import FILES, checkpoint_bytes, size

UNLIMITED = (None, -1)


@dataclass(frozen=True)
class Trial:
    """What a few steps of a training took, and what all of it would take.

    Attributes:
        trained: Steps that were trained.
        validated: Batches that were validated.
        images: Images of a step.
        step_seconds: Time of a step.
        waiting: Share of it in which the step waited for data, in [0, 1].
        steps: Steps of the whole training; None if it has no limit.
        batch_seconds: Time of a validation batch; None if none was validated.
        batches: Batches of a validation; None if that is not known.
        peak_bytes: Most memory that was in use.
        free_bytes: Memory that is free.
        checkpoint_bytes: Size of a checkpoint, about.
        disk_bytes: Free room on the disk.
    """

    trained: int
    validated: int
    images: int
    step_seconds: float
    waiting: float
    steps: int | None
    batch_seconds: float | None
    batches: int | None
    peak_bytes: int
    free_bytes: int
    checkpoint_bytes: int
    disk_bytes: int

    def lines(self) -> Iterator[str]:
        """The same in words: time, memory and disk."""
        yield f"dry run: {self.trained} steps and {self.validated} validation batches, and nothing was written"
        waits = f"{self.waiting:.0%} of it waiting for data"
        yield f"  a step        {duration(self.step_seconds)} for {self.images} images, {waits}"
        if self.steps is not None:
            whole = duration(self.steps * self.step_seconds)
            yield f"  all steps     {whole} for {self.steps} steps, without validations"
        if self.batch_seconds is not None:
            whole = (
                ""
                if self.batches is None
                else f", {duration(self.batches * self.batch_seconds)} for all {self.batches}"
            )
            yield f"  validation    {duration(self.batch_seconds)} a batch{whole}"
        yield f"  memory        {size(self.peak_bytes)} at most so far, {size(self.free_bytes)} are free"
        room = f"up to {FILES}: {size(FILES * self.checkpoint_bytes)} of {size(self.disk_bytes)} that are free"
        yield f"  checkpoints   about {size(self.checkpoint_bytes)} each, {room}"
        yield "  the largest batch that fits is found with --data.batch_size auto"

    def as_json(self) -> dict[str, Any]:
        """The same for programs."""
        return {"dry_run": True, **asdict(self)}


def measure_trial(cli: Any, folder: Path) -> Trial:
    """Time, memory and disk of a training of which a few steps were tried.

    Args:
        cli: What was built, after its trial.
        folder: Where runs are kept.
    """
    trainer, data = cli.trainer, cli.datamodule
    timed = next(callback for callback in trainer.callbacks if isinstance(callback, DryRun))
    waits, validation = sum(timed.waits[1:]), timed.validation
    return Trial(
        trained=len(timed.steps),
        validated=len(validation),
        images=accumulated(trainer, data),
        step_seconds=timed.step,
        waiting=waits / max(1e-9, waits + sum(timed.steps[1:])),
        steps=count_steps(cli),
        batch_seconds=sum(validation) / len(validation) if validation else None,
        batches=_batches(data) if validation else None,
        peak_bytes=int(peak_memory()),
        free_bytes=int(free_memory()),
        checkpoint_bytes=int(checkpoint_bytes(cli.model)),
        disk_bytes=shutil.disk_usage(folder if folder.is_dir() else ".").free,
    )


def count_steps(cli: Any) -> int | None:
    """Optimiser steps of the whole training; None if it has no limit.

    Args:
        cli: What was built.
    """
    asked = cli.config.trainer
    per_epoch = _steps_per_epoch(cli)
    limits = [] if asked.max_steps in UNLIMITED else [int(asked.max_steps)]
    if asked.max_epochs not in UNLIMITED and per_epoch:
        limits.append(int(asked.max_epochs) * per_epoch)
    return min(limits, default=None)


def _steps_per_epoch(cli: Any) -> int | None:
    try:
        return math.ceil(len(cli.datamodule.train_dataloader()) / int(cli.trainer.accumulate_grad_batches))
    except Exception:  # a data module of somebody else
        return None


def _batches(data: Any) -> int | None:
    try:
        return len(data.val_dataloader())
    except Exception:  # a data module of somebody else
        return None
