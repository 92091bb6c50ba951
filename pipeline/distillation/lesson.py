"""The options of a distillation that all students of a comparison share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from foveate.pipeline.errors import ConfigError

Precision = Literal["32-true", "bf16-mixed"]


@dataclass(frozen=True)
class Lesson:
    """Teacher, images and budget of a distillation.

    Args:
        teacher: A checkpoint or run of ours, best, last, or a network by name: ours or timm:NAME.
        teacher_weights: File with the weights of a network by name, if not those that timm publishes; or random.
        data: Images without labels: folder, pattern, or .txt file of paths.
        steps: Optimiser steps.
        batch_size: Images per step.
        size: Side of the crops in pixels.
        lr: Highest learning rate.
        precision: Of the arithmetic.
        num_workers: Processes that read images; -1: one per core but one.

    Raises:
        ConfigError: Teacher or images are missing, or a number is out of its range.
    """

    teacher: str = ""
    teacher_weights: str | None = None
    data: str = ""
    steps: int = 2000
    batch_size: int = 32
    size: int = 224
    lr: float = 1e-3
    precision: Precision = "32-true"
    num_workers: int = -1

    def check(self, prefix: str = "--") -> None:
        """Refuse options that are missing or out of their range.

        Args:
            prefix: What stands before the options on the command line.

        Raises:
            ConfigError: See the class.
        """
        for name, example in (("teacher", "runs/latest, or timm:vit_small_patch14_dinov2.lvd142m"), ("data", "IMAGES")):
            if not getattr(self, name):
                raise ConfigError(f"{prefix}{name} is missing; give {prefix}{name} {example}")
        if min(self.steps, self.batch_size) < 1 or self.size < 32 or self.num_workers < -1 or self.lr <= 0:
            raise ConfigError(
                f"{prefix}steps and {prefix}batch_size are at least 1, {prefix}size at least 32, "
                f"{prefix}num_workers at least -1, {prefix}lr above 0"
            )
