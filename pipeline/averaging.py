"""Exponential moving average (EMA) of the weights, kept beside the weights that are trained."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import lightning.pytorch as L
import torch
from lightning.pytorch.callbacks import WeightAveraging
from torch import Tensor

from foveate.pipeline.errors import ConfigError


class EmaWeights(WeightAveraging):
    """Exponential moving average of the weights; it is validated, saved, and left in the network at the end.

    In the first steps the decay is lower, (1 + n) / (10 + n) after n steps, so that the initial weights soon count for
    little. Checkpoints also hold the weights that are trained (`current_model_state`), from which training resumes.

    Args:
        decay: Weight of the old average at each step, such as 0.999.

    Raises:
        ConfigError: The decay is not between 0 and 1.

    Source:
        Polyak and Juditsky 1992; the warm-up as in TensorFlow's ExponentialMovingAverage.
    """

    def __init__(self, decay: float) -> None:
        if not 0 < decay < 1:
            raise ConfigError(f"ema is a decay between 0 and 1, such as 0.999, not {decay}")
        self.decay = decay
        self._swapped = False
        super().__init__(multi_avg_fn=self._blend)

    def _blend(self, average: Sequence[Tensor], current: Sequence[Tensor], updates: Tensor | int) -> None:
        """Move the averages towards the current values; integers, such as the number of batches seen, are copied."""
        decay = min(self.decay, (1 + int(updates)) / (10 + int(updates)))
        if torch.is_floating_point(average[0]):
            alike = [new.to(old.dtype) for old, new in zip(average, current, strict=True)]
            torch._foreach_lerp_(list(average), alike, 1 - decay)
        else:
            for old, new in zip(average, current, strict=True):
                old.copy_(new)

    def on_fit_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Average in float32, or in the trained weights' precision where it is higher.

        Weights of 16 bits would not move by the small share of a step; a float32 average of float64 weights would round
        those each time they change places with it.

        Raises:
            ConfigError: The weights are float16, which torch does not average.
        """
        kinds = {value.dtype for value in pl_module.parameters()}
        if torch.float16 in kinds:
            raise ConfigError("ema does not go with --trainer.precision 16-true (accepted: 16-mixed, bf16-true)")
        if self._average_model is not None and torch.float64 in kinds:
            self._average_model.double()

    def _swap_models(self, pl_module: L.LightningModule) -> None:
        super()._swap_models(pl_module)
        self._swapped = not self._swapped

    def on_exception(self, trainer: L.Trainer, pl_module: L.LightningModule, exception: BaseException) -> None:
        """Restore the trained weights if a validation was interrupted, before a checkpoint is written."""
        if self._swapped:
            self._swap_models(pl_module)

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Do nothing yet: the last checkpoint, with the trained and the averaged weights, is written in this hook."""

    def on_fit_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Copy the average into the network."""
        self._copy_average_to_current(pl_module)
        self._average_model = None

    def on_load_checkpoint(self, trainer: L.Trainer, pl_module: L.LightningModule, checkpoint: dict[str, Any]) -> None:
        """Restore trained and averaged weights; outside of training, the checkpoint's weights are the average."""
        if self._average_model is not None:
            super().on_load_checkpoint(trainer, pl_module, checkpoint)
