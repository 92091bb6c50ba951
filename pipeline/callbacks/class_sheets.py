"""The same few validation images after each validation, on one sheet with what they are and what was said."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import lightning.pytorch as L
import torch
from PIL import Image, ImageDraw, ImageFont

from foveate.datasets.classes import ClassSet
from foveate.pipeline.callbacks.sample_drawer import Pixels, SampleDrawer, pixels_of, predict, wandb_loggers

COLUMNS = 4
SIDE, LINE, GAP = 128, 16, 8  # pixels of a picture, of a line of text, and between
RIGHT, WRONG = (0, 110, 0), (190, 0, 0)
LETTERS = 20  # of a name that fit under a picture


class Sample(NamedTuple):
    """An image (H, W, 3) with what it is and what was said."""

    image: Pixels
    truth: str
    predicted: str
    probability: float


class SampleSheet(SampleDrawer):
    """Draw `count` validation images on a sheet, into a folder, and to W&B if it logs.

    Args:
        folder: Where PNG files go, one a step.
        count: How many images; 0 draws none.
    """

    def __init__(self, folder: Path, count: int = 16) -> None:
        super().__init__(folder, count)

    def draw(self, module: L.LightningModule, samples: Sequence[dict[str, Any]], step: str) -> None:
        """Write the sheet."""
        sheet = draw_sheet(_predict(module, samples))
        self.folder.mkdir(parents=True, exist_ok=True)
        sheet.save(self.folder / f"{step}.png")
        for logger in wandb_loggers(module.trainer):
            logger.log_image("val/samples", [sheet], module.trainer.global_step)


def _predict(module: L.LightningModule, samples: Sequence[dict[str, Any]]) -> list[Sample]:
    labels: ClassSet = module.labels  # type: ignore[assignment]
    shares, classes = predict(module, torch.stack([sample["image"] for sample in samples])).float().softmax(1).max(1)
    return [
        Sample(pixels_of(sample["image"]), labels.names[int(sample["label"])], labels.names[number], share)
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
