"""What the processes of a training decide together."""

from __future__ import annotations

import lightning.pytorch as L
import torch


def agree(trainer: L.Trainer, *numbers: int) -> list[int]:
    """The largest of each number over all processes; every process must call this at the same point.

    Args:
        trainer: The trainer.
        numbers: Of this process, such as a signal that asks it to end, or 0.
    """
    if trainer.world_size == 1 or not torch.distributed.is_initialized():
        return list(numbers)
    asked = torch.tensor(numbers, dtype=torch.int64, device=trainer.strategy.root_device)
    torch.distributed.all_reduce(asked, op=torch.distributed.ReduceOp.MAX)
    return [int(number) for number in asked.tolist()]
