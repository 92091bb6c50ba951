"""The same few validation images after each validation, on one sheet with what they are and what was said."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, cast

import lightning.pytorch as L
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from foveate.datasets.classes import ClassSet
from foveate.pipeline.callbacks.overlays import GivesSamples
from foveate.pipeline.loggers.wandb import WandbLogger

COLUMNS = 4
SIDE, LINE, GAP = 128, 16, 8  # pixels of a picture, of a line of text, and between
RIGHT, WRONG = (0, 110, 0), (190, 0, 0)
LETTERS = 20  # of a name that fit under a picture


class Sample(NamedTuple):
    """An image (H, W, 3) with what it is and what was said."""

    image: NDArray[np.uint8]
    truth: str
    predicted: str
    probability: float


class SampleSheet(L.Callback):
    """Draw `count` validation images on a sheet, into a folder, and to W&B if it logs.

    Args:
        folder: Where PNG files go, one a step.
        count: How many images; 0 draws none.
    """

    def __init__(self, folder: Path, count: int = 16) -> None:
        super().__init__()
        self.folder = folder
        self.count = count

    def on_validation_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Draw, in the first process only, with the weights that were evaluated."""
        gives = cast(GivesSamples, getattr(trainer, "datamodule", None))
        if trainer.sanity_checking or not trainer.is_global_zero or not self.count or not hasattr(gives, "samples"):
            return
        given = gives.samples("val", self.count)
        sheet = draw_sheet(_predict(pl_module, [given[index] for index in range(len(given))]))
        self.folder.mkdir(parents=True, exist_ok=True)
        sheet.save(self.folder / f"step-{trainer.global_step:06d}.png")
        for logger in trainer.loggers:
            if isinstance(logger, WandbLogger):
                logger.log_image("val/samples", [sheet], trainer.global_step)


def _predict(module: L.LightningModule, samples: Sequence[dict[str, Any]]) -> list[Sample]:
    labels: ClassSet = module.labels  # type: ignore[assignment]
    images = torch.stack([sample["image"] for sample in samples])
    with torch.no_grad(), module.trainer.precision_plugin.val_step_context():
        shares, classes = module(images.to(module.device)).float().softmax(1).max(1)
    return [
        Sample(
            np.ascontiguousarray(sample["image"].numpy().transpose(1, 2, 0)),
            labels.names[int(sample["label"])],
            labels.names[number],
            share,
        )
        for sample, number, share in zip(samples, classes.tolist(), shares.tolist(), strict=True)
    ]


def draw_sheet(samples: Sequence[Sample]) -> Image.Image:
    """Pictures in rows of four, under each the predicted class and its probability, and the true one if it differs."""
    cell = (SIDE + GAP, SIDE + 2 * LINE + GAP)
    rows = -(-len(samples) // COLUMNS)
    sheet = Image.new("RGB", (GAP + COLUMNS * cell[0], GAP + rows * cell[1]), "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(12)
    for number, sample in enumerate(samples):
        left, top = GAP + number % COLUMNS * cell[0], GAP + number // COLUMNS * cell[1]
        sheet.paste(Image.fromarray(sample.image).resize((SIDE, SIDE), Image.Resampling.NEAREST), (left, top))
        right = sample.predicted == sample.truth
        said = f"{sample.predicted[:LETTERS]} {100 * sample.probability:.0f} %"
        pen.text((left, top + SIDE), said, RIGHT if right else WRONG, font)
        if not right:
            pen.text((left, top + SIDE + LINE), f"is {sample.truth[:LETTERS]}", "black", font)
    return sheet
