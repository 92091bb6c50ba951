"""Draws the same few validation images after validations: when, and with which weights."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, cast

import lightning.pytorch as L
import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from foveate.pipeline.callbacks.drawing import SIDE, Pixels
from foveate.pipeline.errors import ConfigError
from foveate.pipeline.loggers.wandb import WandbLogger
from foveate.pipeline.optional_files import OptionalFiles

LEAST_SIDE = 200


@dataclass(frozen=True)
class PictureOptions:
    """Options of the pictures of validation images that a training draws.

    Args:
        count: How many images; 0 draws none. Not given: 4 overlays, or 16 images on a sheet of a classifier.
        every: Draw after each this-many-th validation; the last validation of a training is always drawn.
        side: Largest height and width of a picture, in pixels.

    Raises:
        ConfigError: A number is too small.
    """

    count: int | None = None
    every: int = 1
    side: int = SIDE

    def __post_init__(self) -> None:
        if (self.count is not None and self.count < 0) or self.every < 1 or self.side < LEAST_SIDE:
            raise ConfigError(
                f"pictures: count is at least 0 (none), every at least 1, side at least {LEAST_SIDE} pixels, not {self}"
            )


class GivesSamples(Protocol):
    """A data module that can give a few samples of a split."""

    def samples(self, split: str, count: int) -> Any:
        """The same few samples each time."""


class SampleDrawer(L.Callback):
    """Base class: draw a few validation images into a folder after validations.

    Args:
        folder: The folder of the pictures.
        options: How many, how often and how large.
        default_count: How many if the options do not say.

    Attributes:
        files: Writes the pictures; a full disk does not end the training.
    """

    def __init__(self, folder: Path, options: PictureOptions, *, default_count: int) -> None:
        super().__init__()
        self.folder = folder
        self.options = options
        self.count = default_count if options.count is None else options.count
        self.files = OptionalFiles("pictures of validation images")
        self._validations = 0

    def on_validation_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Draw, in the first process only, with the weights that were evaluated."""
        gives = cast(GivesSamples, getattr(trainer, "datamodule", None))
        if trainer.sanity_checking or not trainer.is_global_zero or not self.count or not hasattr(gives, "samples"):
            return
        self._validations += 1
        if self._validations % self.options.every and not trainer.fit_loop.done:
            return
        given = gives.samples("val", self.count)
        self.draw(pl_module, [given[index] for index in range(len(given))], trainer.global_step)

    @abstractmethod
    def draw(self, module: L.LightningModule, samples: Sequence[dict[str, Any]], step: int) -> None:
        """Draw samples of the data module, write them under the step number, and send them to loggers."""


def predict(module: L.LightningModule, images: UInt8[Tensor, "B *V C H W"]) -> Float[Tensor, "B K ..."]:
    """Logits of raw images, or of V views of each, in the precision of the validation."""
    with torch.no_grad(), module.trainer.precision_plugin.val_step_context():
        logits: Tensor = module(images.to(module.device))
    return logits


def pixels_of(image: UInt8[Tensor, "C H W"]) -> Pixels:
    """The image as (H, W, 3), to be drawn: the first three bands, or the first in grey."""
    bands = image.cpu()[:3] if len(image) >= 3 else image.cpu()[:1].expand(3, -1, -1)
    return np.ascontiguousarray(bands.numpy().transpose(1, 2, 0))


def wandb_loggers(trainer: L.Trainer) -> Iterator[WandbLogger]:
    """The trainer's loggers that accept pictures."""
    return (logger for logger in trainer.loggers if isinstance(logger, WandbLogger))
