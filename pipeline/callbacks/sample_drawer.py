"""The same few validation images after each validation: when they are drawn, and with what weights."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol, cast

import lightning.pytorch as L
import numpy as np
import torch
from jaxtyping import Float, UInt8
from numpy.typing import NDArray
from torch import Tensor

from foveate.pipeline.loggers.wandb import WandbLogger

Pixels = NDArray[np.uint8]


class GivesSamples(Protocol):
    """A data module that can hand out a few samples of a split."""

    def samples(self, split: str, count: int) -> Any:
        """The same few samples each time."""


class SampleDrawer(L.Callback):
    """Has `count` validation images drawn into a folder after each validation.

    Args:
        folder: Where PNG files go.
        count: How many images; 0 draws none.
    """

    def __init__(self, folder: Path, count: int) -> None:
        super().__init__()
        self.folder = folder
        self.count = count

    def on_validation_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Draw, in the first process only, with the weights that were evaluated."""
        gives = cast(GivesSamples, getattr(trainer, "datamodule", None))
        if trainer.sanity_checking or not trainer.is_global_zero or not self.count or not hasattr(gives, "samples"):
            return
        given = gives.samples("val", self.count)
        self.draw(pl_module, [given[index] for index in range(len(given))], f"step-{trainer.global_step:06d}")

    @abstractmethod
    def draw(self, module: L.LightningModule, samples: Sequence[dict[str, Any]], step: str) -> None:
        """Draw samples of the data module into the folder under the name of the step, and send them."""


def predict(module: L.LightningModule, images: UInt8[Tensor, "B 3 H W"]) -> Float[Tensor, "B K ..."]:
    """Logits of raw images, in the precision of the validation."""
    with torch.no_grad(), module.trainer.precision_plugin.val_step_context():
        logits: Tensor = module(images.to(module.device))
    return logits


def pixels_of(image: UInt8[Tensor, "3 H W"]) -> Pixels:
    """The image as (H, W, 3), to be drawn."""
    return np.ascontiguousarray(image.numpy().transpose(1, 2, 0))


def wandb_loggers(trainer: L.Trainer) -> Iterator[WandbLogger]:
    """Those of the trainer's loggers that take pictures."""
    return (logger for logger in trainer.loggers if isinstance(logger, WandbLogger))
