"""The largest batch that fits into memory: on a GPU by trying, on a CPU by what the backward pass keeps."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from foveate.pipeline.measuring.training_step import Context, create_step
from foveate.pipeline.task import VisionTask

MOST = 1024  # larger batches are not looked for
SHARE = 0.7  # of the free memory that a training may take
OVERHEAD = 1.5  # memory of a step per byte that the backward pass keeps: gradients of feature maps, work space
COPIES = 4  # of the weights: themselves, their gradients, and two moments of the optimiser
Batch = dict[str, Any]


def find_batch_size(task: VisionTask, sample: Batch, context: Context) -> int:
    """The largest power of two that fits, with a margin; at least 1.

    Args:
        task: The task, on the device that it will be trained on.
        sample: A batch of one.
        context: Creates the context manager of the forward pass: autocast, or none.
    """
    if task.device.type == "cuda":
        return largest_by_trying(lambda size: _fits(task, repeat(sample, size), context))
    weights = sum(parameter.nbytes for parameter in task.parameters())
    each = (kept_bytes(task, repeat(sample, 4), context) - kept_bytes(task, repeat(sample, 2), context)) // 2
    return largest_by_memory(each, COPIES * weights, free_memory())


def largest_by_trying(fits: Callable[[int], bool], most: int = MOST) -> int:
    """The largest power of two for which a function is true; 1 if there is none.

    Args:
        fits: Whether a batch size fits; it is asked for rising sizes until one does not.
        most: Larger ones are not tried.

    Example:
        >>> largest_by_trying(lambda size: size <= 20)
        16
    """
    size = 1
    while size * 2 <= most and fits(size * 2):
        size *= 2
    return size


def largest_by_memory(each: int, fixed: int, free: int, most: int = MOST) -> int:
    """The largest power of two whose memory is within the free one; at least 1.

    Args:
        each: Bytes that the backward pass keeps of a sample.
        fixed: Bytes that do not depend on the batch.
        free: Free bytes.
        most: Larger ones are not given.

    Example:
        >>> largest_by_memory(each=100, fixed=1000, free=10_000)
        32
    """
    return largest_by_trying(lambda size: fixed + OVERHEAD * each * size <= SHARE * free, most)


def kept_bytes(task: VisionTask, batch: Batch, context: Context) -> int:
    """How many bytes a forward pass keeps for the backward pass; the weights do not count.

    Args:
        task: The task.
        batch: A batch.
        context: Creates the context manager of the forward pass.
    """
    own = {parameter.untyped_storage().data_ptr() for parameter in task.parameters()}
    seen: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            seen[storage.data_ptr()] = storage.nbytes()
        return tensor

    buffers = {name: buffer.clone() for name, buffer in task.named_buffers()}
    task.train()
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor), context():
        loss = task.compute_loss(batch)  # type: ignore[operator]  # every task has it
    total = sum(seen.values())
    del loss
    with torch.no_grad():
        for name, buffer in task.named_buffers():
            buffer.copy_(buffers[name])
    return total


def repeat(sample: Batch, size: int) -> Batch:
    """A batch that holds a sample several times.

    Args:
        sample: A batch of one.
        size: How often.
    """
    return {
        name: value.repeat(size, *[1] * (value.ndim - 1)) if isinstance(value, Tensor) else list(value) * size
        for name, value in sample.items()
    }


def free_memory() -> int:
    """Bytes of memory that a new program can use, by the system and by a container's limit."""
    free = [torch.iinfo(torch.int64).max]
    with suppress(OSError, ValueError, IndexError):
        lines = Path("/proc/meminfo").read_text().splitlines()
        free.append(1024 * next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable")))
    with suppress(OSError, ValueError):
        limit = int(Path("/sys/fs/cgroup/memory.max").read_text())
        free.append(limit - int(Path("/sys/fs/cgroup/memory.current").read_text()))
    return max(0, min(free)) if len(free) > 1 else 8 << 30


def _fits(task: VisionTask, batch: Mapping[str, Any], context: Context) -> bool:
    """Whether a step of a batch leaves a tenth of a GPU's memory free."""
    buffers = {name: buffer.clone() for name, buffer in task.named_buffers()}
    torch.cuda.reset_peak_memory_stats(task.device)
    try:
        create_step(task, batch, context)()
        peak = torch.cuda.max_memory_reserved(task.device)
        return peak <= 0.9 * torch.cuda.get_device_properties(task.device).total_memory
    except torch.OutOfMemoryError:
        return False
    finally:
        task.zero_grad(set_to_none=True)
        torch.cuda.empty_cache()
        with torch.no_grad():
            for name, buffer in task.named_buffers():
                buffer.copy_(buffers[name])
