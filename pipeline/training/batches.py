"""Settles the batch of a training before its trainer is built: how many samples per device, and how they add up."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

import lightning.pytorch as L
import torch

from foveate.pipeline.errors import ConfigError
from foveate.pipeline.measuring.batch_size import MOST, find_batch_size
from foveate.pipeline.processes.launchers import agree_on
from foveate.pipeline.runs.recipes import Recipe
from foveate.pipeline.task import VisionTask
from foveate.pipeline.training.devices import count_processes
from foveate.pipeline.training.flags import value_of
from foveate.pipeline.training.total_batch import Shares, lr_factor, share_out, total_of

CHOSEN = "FOVEATE_BATCH_SIZE"  # what the first process found, for those that it starts
LR = "--model.optimizer.lr"


def settle_batches(task: VisionTask, data: Any, trainer: Any, recipe: Recipe, flags: Sequence[str]) -> list[str]:
    """Choose batch per device, accumulation and learning rate; nothing changes if the recipe asks for none of it.

    Args:
        task: The task, with its weights.
        data: The data module, after `setup`.
        trainer: Settings of the trainer, in which the accumulation is set.
        recipe: The recipe before flags.
        flags: The flags.

    Returns:
        Lines that tell what was chosen.

    Raises:
        ConfigError: The total batch cannot be divided among the devices.
    """
    waits = bool(getattr(data, "waits_for_batch_size", False))
    total: int | None = getattr(data, "total_batch", None)
    if not waits and total is None:
        return []
    most = _find(task, data, trainer) if waits else int(data.batch_size)
    if total is None:
        data.take_batch_size(min(most, _count(data)))
        return [f"batch size: {data.batch_size} per device, what fits into memory"]
    if isinstance(trainer.accumulate_grad_batches, int) and trainer.accumulate_grad_batches > 1 and waits:
        raise ConfigError("--data.batch_size auto chooses accumulate_grad_batches itself: leave it out")
    shares = share_out(total, count_processes(trainer), most)
    data.take_batch_size(shares.batch_size)
    trainer.accumulate_grad_batches = shares.accumulation
    return [f"total batch: {shares}", *_follow(task, shares, recipe, flags)]


def _follow(task: VisionTask, shares: Shares, recipe: Recipe, flags: Sequence[str]) -> list[str]:
    """Let the learning rate follow the total batch, unless the user gave one."""
    before, config = total_of(recipe), task.optimizer_config
    factor = lr_factor(config.name, before, shares.total)
    if value_of(flags, LR) is not None or factor == 1.0:
        return [f"learning rate: {config.lr:g}"]
    task.optimizer_config = replace(config, lr=config.lr * factor)
    task.hparams["optimizer"]["lr"] = task.optimizer_config.lr
    return [
        f"learning rate: {task.optimizer_config.lr:g}, from {config.lr:g} for a total batch of {before} ({LR} sets it)"
    ]


def _find(task: VisionTask, data: Any, trainer: Any) -> int:
    """What fits, as the first process finds it."""
    if CHOSEN not in os.environ:
        os.environ[CHOSEN] = agree_on("batch size", lambda: str(_try(task, data, trainer)))
    return int(os.environ[CHOSEN])


def _try(task: VisionTask, data: Any, trainer: Any) -> int:
    device = task.device
    if trainer.accelerator != "cpu" and torch.cuda.is_available():
        task.to("cuda")
    try:
        return find_batch_size(task, data.one_sample(), lambda: _context(task, trainer))
    finally:
        task.to(device)


def _context(task: VisionTask, trainer: Any) -> AbstractContextManager[Any]:
    """Autocast, if the precision is mixed."""
    mixed = str(trainer.precision).endswith("mixed")
    dtype = torch.bfloat16 if str(trainer.precision).startswith("bf16") else torch.float16
    return torch.autocast(task.device.type, dtype, enabled=mixed)


def _count(data: Any) -> int:
    """How many training samples there are, as far as the data says."""
    try:
        return max(1, len(data.dataset("train")))
    except Exception:  # a data module of somebody else
        return MOST


def accumulated(trainer: L.Trainer, data: Any) -> int:
    """Samples of an optimiser step on all devices.

    Args:
        trainer: The trainer.
        data: The data module.
    """
    return trainer.world_size * int(getattr(data, "batch_size", 1)) * int(trainer.accumulate_grad_batches)
