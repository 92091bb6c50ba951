"""One total batch, however many devices: batch per device, accumulation and learning rate follow from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from foveate.pipeline.errors import ConfigError
from foveate.pipeline.runs.recipes import Recipe, arguments_of

LINEAR = ("sgd", "torch:SGD", "timm:sgd", "timm:momentum", "timm:lars")  # whose step grows with the gradient


@dataclass(frozen=True)
class Shares:
    """How a total batch is made.

    Attributes:
        devices: How many work on it at the same time.
        batch_size: Samples per device and backward pass.
        accumulation: Backward passes per optimiser step.
    """

    devices: int
    batch_size: int
    accumulation: int

    @property
    def total(self) -> int:
        """Samples of an optimiser step."""
        return self.devices * self.batch_size * self.accumulation

    def __str__(self) -> str:
        return f"{self.total} = {self.devices} devices x {self.batch_size} x {self.accumulation} accumulated"


def share_out(total: int, devices: int, most: int) -> Shares:
    """Divide a total batch over devices, with as few backward passes as memory allows.

    Args:
        total: Samples of an optimiser step.
        devices: How many devices.
        most: Largest batch of a device.

    Raises:
        ConfigError: It cannot be divided.

    Example:
        >>> print(share_out(8, devices=2, most=3))
        8 = 2 devices x 2 x 2 accumulated
    """
    if total < 1 or total % devices:
        near = max(devices, round(total / devices) * devices)
        raise ConfigError(f"--data.total_batch {total} cannot be divided among {devices} devices; take {near}")
    each = total // devices
    batch_size = next(size for size in range(min(most, each), 0, -1) if each % size == 0)
    return Shares(devices, batch_size, each // batch_size)


def total_of(recipe: Recipe) -> int | None:
    """The total batch that a recipe's learning rate was made for: on one device, unless it names the total.

    Args:
        recipe: A recipe.
    """
    data: Mapping[str, Any] = arguments_of(recipe, "data")
    if isinstance(data.get("total_batch"), int):
        return int(data["total_batch"])
    size, times = data.get("batch_size"), (recipe.get("trainer") or {}).get("accumulate_grad_batches") or 1
    return size * times if isinstance(size, int) and isinstance(times, int) else None


def lr_factor(optimizer: str, before: int | None, total: int) -> float:
    """By what the learning rate changes with the total batch: in proportion for SGD, else by the square root.

    Args:
        optimizer: Its name in recipes.
        before: The total batch that the rate was made for; None if unknown.
        total: The total batch now.

    Source:
        Goyal et al. 2017 (arXiv:1706.02677) for SGD, Malladi et al. 2022 (arXiv:2205.10287) for adaptive optimisers.

    Example:
        >>> lr_factor("adamw", 8, 32), lr_factor("sgd", 256, 64)
        (2.0, 0.25)
    """
    if not before or before == total:
        return 1.0
    return total / before if optimizer in LINEAR else (total / before) ** 0.5
