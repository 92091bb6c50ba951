"""Tells what a training will take, after a few of its steps."""

from __future__ import annotations

import math
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from foveate.pipeline.callbacks.dry_run import DryRun, peak_memory
from foveate.pipeline.measuring.batch_size import free_memory
from foveate.pipeline.text import duration
from foveate.pipeline.training.batches import accumulated
from foveate.pipeline.training.preflight import FILES, checkpoint_bytes, size

UNLIMITED = (None, -1)


def tell_dry_run(cli: Any, folder: Path) -> Iterator[str]:
    """Lines on time, memory and disk.

    Args:
        cli: What was built, after its trial.
        folder: Where runs are kept.
    """
    trainer, data = cli.trainer, cli.datamodule
    timed = next(callback for callback in trainer.callbacks if isinstance(callback, DryRun))
    yield f"dry run: {len(timed.steps)} steps and {len(timed.validation)} validation batches, and nothing was written"
    waits = sum(timed.waits[1:]) / max(1e-9, sum(timed.waits[1:]) + sum(timed.steps[1:]))
    images = accumulated(trainer, data)
    yield f"  a step        {duration(timed.step)} for {images} images, {waits:.0%} of it waiting for data"
    steps = count_steps(cli)
    if steps is not None:
        yield f"  all steps     {duration(steps * timed.step)} for {steps} steps, without validations"
    if timed.validation:
        batches = _batches(data)
        each = sum(timed.validation) / len(timed.validation)
        known = "" if batches is None else f", {duration(batches * each)} for all {batches}"
        yield f"  validation    {duration(each)} a batch{known}"
    yield f"  memory        {size(peak_memory())} at most so far, {size(free_memory())} are free"
    each_file, free = checkpoint_bytes(cli.model), shutil.disk_usage(folder if folder.is_dir() else ".").free
    room = f"up to {FILES}: {size(FILES * each_file)} of {size(free)} that are free"
    yield f"  checkpoints   about {size(each_file)} each, {room}"
    yield "  the largest batch that fits is found with --data.batch_size auto"


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
