"""A moving average of the weights, kept beside those that learn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import lightning.pytorch as L
import torch
from lightning.pytorch.callbacks import WeightAveraging
from torch import Tensor

from foveate.pipeline.errors import ConfigError


class EmaWeights(WeightAveraging):
    """Average the weights exponentially; the average is evaluated, kept, and left in the network at the end.

    Early on the decay is lower, (1 + n) / (10 + n) after n steps, so that the average forgets the start. Checkpoints
    hold the learning weights too (`current_model_state`), from which a training goes on.

    Args:
        decay: What is kept of the average at each step, such as 0.999.

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
        """Move the averages towards the current values; what counts, such as batches seen, is taken as it is."""
        decay = min(self.decay, (1 + int(updates)) / (10 + int(updates)))
        if torch.is_floating_point(average[0]):
            torch._foreach_lerp_(list(average), list(current), 1 - decay)
        else:
            for old, new in zip(average, current, strict=True):
                old.copy_(new)

    def _swap_models(self, pl_module: L.LightningModule) -> None:
        super()._swap_models(pl_module)
        self._swapped = not self._swapped

    def on_exception(self, trainer: L.Trainer, pl_module: L.LightningModule, exception: BaseException) -> None:
        """Put the learning weights back where a validation was cut off, before a checkpoint is written."""
        if self._swapped:
            self._swap_models(pl_module)

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Nothing yet: a last checkpoint is written now, of both."""

    def on_fit_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Leave the average in the network."""
        self._copy_average_to_current(pl_module)
        self._average_model = None

    def on_load_checkpoint(self, trainer: L.Trainer, pl_module: L.LightningModule, checkpoint: dict[str, Any]) -> None:
        """Go on with both; nothing to do outside of training, where the average is the checkpoint's weights."""
        if self._average_model is not None:
            super().on_load_checkpoint(trainer, pl_module, checkpoint)
