"""Looks, before a training begins, whether the machine has room for it: disk, shared memory."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

from foveate.pipeline.errors import MachineError
from foveate.pipeline.task import VisionTask

FILES = 4  # last, previous and best checkpoint, and a draft
SPARE = 64 << 20  # bytes for logs and pictures
AHEAD = 2  # batches that each reading process has ready


def check_disk(run: Path, task: VisionTask) -> list[str]:
    """Check that there is room for the checkpoints.

    Args:
        run: The run directory.
        task: The task.

    Returns:
        Warnings.

    Raises:
        MachineError: There is not even room for one.
    """
    each, free = checkpoint_bytes(task), shutil.disk_usage(run).free
    if free < each + SPARE:
        raise MachineError(
            f"{run}: {size(free)} are free, and a checkpoint takes about {size(each)}; free some space, or choose "
            "another place with --trainer.default_root_dir"
        )
    if free < FILES * each + SPARE:
        return [f"{size(free)} are free in {run}, and the checkpoints may take {size(FILES * each)}"]
    return []


def check_shared_memory(data: Any, sample_bytes: int | None) -> list[str]:
    """Check that the batches that reading processes have ready fit into shared memory.

    Args:
        data: The data module.
        sample_bytes: Bytes of one training sample; None if unknown.

    Returns:
        Warnings.
    """
    free, workers = shared_memory(), int(getattr(data, "num_workers", 0))
    if free is None or sample_bytes is None or not workers:
        return []
    need = sample_bytes * int(getattr(data, "batch_size", 1)) * workers * AHEAD
    if need <= free:
        return []
    return [
        f"{workers} reading processes may need {size(need)} of shared memory, and {size(free)} are free in /dev/shm: "
        "give more (docker run --shm-size), or lower --data.num_workers"
    ]


def sample_bytes(data: Any) -> int | None:
    """Bytes of a training sample, from the size of its crops; None if the data module does not say.

    Args:
        data: The data module.
    """
    crop = getattr(getattr(data, "transform", None), "crop", None)
    if not isinstance(crop, tuple | list) or len(crop) != 2:
        return None
    try:
        channels = int(getattr(data, "in_channels", 3))
    except Exception:  # what is wrong with the data is told elsewhere
        return None
    return int(crop[0]) * int(crop[1]) * (channels + 1)


def checkpoint_bytes(task: VisionTask) -> int:
    """About how many bytes a checkpoint takes: the weights, and what the optimiser keeps of each.

    Args:
        task: The task.
    """
    weights = sum(parameter.nbytes for parameter in task.parameters())
    trained = sum(parameter.nbytes for parameter in task.parameters() if parameter.requires_grad)
    averages = weights if task.hparams.get("ema") else 0
    return weights + averages + (1 if task.optimizer_config.name == "sgd" else 2) * trained


def size(count: float) -> str:
    """A number of bytes for people.

    Example:
        >>> size(1536), size(3 << 30)
        ('1.5 kB', '3.0 GB')
    """
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} TB"


def shared_memory() -> int | None:
    """Bytes that are free in the shared memory through which readers hand over batches; None if unknown."""
    try:
        found = os.statvfs("/dev/shm")
    except (OSError, AttributeError):
        return None
    return found.f_bavail * found.f_frsize
