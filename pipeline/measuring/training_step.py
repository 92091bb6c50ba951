"""One training step as in `fit`, which `compare` and `bench` time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from foveate.pipeline.measuring.timing import Work
from foveate.pipeline.optimisation.optimiser import create_optimizer
from foveate.pipeline.task import VisionTask

Context = Callable[[], AbstractContextManager[object]]


@dataclass(frozen=True)
class Clipping:
    """How gradients are clipped, as Lightning's Trainer does it.

    Attributes:
        limit: Largest gradient norm or value; None or 0 does not clip.
        algorithm: `norm` or `value`.
    """

    limit: float | None = None
    algorithm: str = "norm"

    def apply(self, parameters: list[torch.nn.Parameter]) -> None:
        """Clip the gradients of parameters, in place."""
        if self.limit and self.algorithm == "value":
            torch.nn.utils.clip_grad_value_(parameters, self.limit)
        elif self.limit:
            torch.nn.utils.clip_grad_norm_(parameters, self.limit)


def create_step(task: VisionTask, batch: Mapping[str, Any], context: Context, clipping: Clipping = Clipping()) -> Work:
    """A function that runs one training step on a batch: loss, backward pass, clipping and the recipe's optimiser.

    The learning rate is 0, so that the weights do not change; this does not affect the time. Callbacks (such as the
    moving average of the weights) are left out, and the network is not compiled.

    Args:
        task: The task, on its device; it is put into training mode.
        batch: A batch of the data module; its tensors are moved to the task's device.
        context: Creates the context manager of the forward pass: autocast, or none.
        clipping: How gradients are clipped.
    """
    moved = {key: value.to(task.device) if isinstance(value, Tensor) else value for key, value in batch.items()}
    optimizer = create_optimizer(task.network, task.optimizer_config, fused=not clipping.limit)
    for group in optimizer.param_groups:
        group["lr"] = 0.0
    parameters = [parameter for parameter in task.network.parameters() if parameter.requires_grad]

    def work() -> None:
        task.train()
        optimizer.zero_grad()
        with context():
            loss = task.compute_loss(moved)  # type: ignore[operator]  # every task has it
        loss.backward()
        clipping.apply(parameters)
        optimizer.step()

    return work
