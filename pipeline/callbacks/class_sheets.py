"""The same few validation images after each validation, on one sheet with true and predicted classes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import lightning.pytorch as L
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from foveate.datasets.classes import ClassSet
from foveate.pipeline.callbacks.drawing import SIDE, Pixels, save_picture
from foveate.pipeline.callbacks.sample_drawer import PictureOptions, SampleDrawer, pixels_of, predict, wandb_loggers

COUNT = 16
COLUMNS = 4
PICTURE, LINE, GAP = 160, 18, 10  # pixels: side of a picture, height of a line of text, gap
FRAME = 3
RIGHT, WRONG = (0, 110, 0), (190, 0, 0)
LETTERS = 20  # characters of a name that fit under a picture


class Sample(NamedTuple):
    """An image (H, W, 3) with its true and its predicted class."""

    image: Pixels
    truth: str
    predicted: str
    probability: float


class SampleSheet(SampleDrawer):
    """Draw a few validation images on a sheet, write it to a folder, and send it to W&B if that logger is used.

    Args:
        folder: Where pictures go, one a step.
        options: How many images, how often and how large; 16 if no number is given.
    """

    def __init__(self, folder: Path, options: PictureOptions = PictureOptions()) -> None:  # noqa: B008  frozen
        super().__init__(folder, options, default_count=COUNT)

    def draw(self, module: L.LightningModule, samples: Sequence[dict[str, Any]], step: int) -> None:
        """Write the sheet.

        Args:
            module: The task.
            samples: Of the data module.
            step: Optimiser steps done.
        """
        predicted = _predict(module, samples)
        right = sum(sample.predicted == sample.truth for sample in predicted)
        title = f"step {step}: {right} of {len(predicted)} of these val images are right"
        sheet = draw_sheet(predicted, title, self.options.side)
        with self.files.attempt():
            save_picture(sheet, self.folder / f"step-{step:06d}")
        for logger in wandb_loggers(module.trainer):
            logger.log_image("val/samples", [sheet], step)


def _predict(module: L.LightningModule, samples: Sequence[dict[str, Any]]) -> list[Sample]:
    labels: ClassSet = module.labels  # type: ignore[assignment]
    shares, classes = predict(module, torch.stack([sample["image"] for sample in samples])).float().softmax(1).max(1)
    return [
        Sample(pixels_of(_first_view(sample["image"])), labels.names[int(sample["label"])], labels.names[number], share)
        for sample, number, share in zip(samples, classes.tolist(), shares.tolist(), strict=True)
    ]


def _first_view(image: Tensor) -> Tensor:
    """The image (3, H, W), or the first of its views."""
    return image if image.ndim == 3 else image[0]


def draw_sheet(samples: Sequence[Sample], title: str = "", side: int = SIDE) -> Image.Image:
    """Pictures in rows, each with the predicted class, its probability, and the true class if it differs.

    Args:
        samples: At least one.
        title: The line above.
        side: Largest height and width of the sheet, in pixels.
    """
    across, down = PICTURE + GAP, PICTURE + 2 * LINE + GAP
    columns = min(COLUMNS, len(samples))
    while -(-len(samples) // columns) * down > columns * across * 1.5:  # many images: wider, not only longer
        columns += 1
    rows = -(-len(samples) // columns)
    sheet = Image.new("RGB", (max(GAP + columns * across, 2 * PICTURE), 2 * GAP + LINE + rows * down), "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(13)
    pen.text((GAP, GAP), title, "black", font)
    for number, sample in enumerate(samples):
        left, top = GAP + number % columns * across, 2 * GAP + LINE + number // columns * down
        _draw_sample(sheet, pen, sample, (left, top), font)
    sheet.thumbnail((side, side))
    return sheet


def _draw_sample(
    sheet: Image.Image, pen: ImageDraw.ImageDraw, sample: Sample, corner: tuple[int, int], font: Any
) -> None:
    left, top = corner
    right = sample.predicted == sample.truth
    pen.rectangle(
        (left - FRAME, top - FRAME, left + PICTURE + FRAME - 1, top + PICTURE + FRAME - 1), RIGHT if right else WRONG
    )
    image = Image.fromarray(sample.image)
    way = Image.Resampling.NEAREST if image.width < PICTURE else Image.Resampling.BOX
    sheet.paste(image.resize((PICTURE, PICTURE), way), corner)
    said = f"{sample.predicted[:LETTERS]} {100 * sample.probability:.0f} %"
    pen.text((left, top + PICTURE + FRAME), said, RIGHT if right else WRONG, font)
    if not right:
        pen.text((left, top + PICTURE + FRAME + LINE), f"true: {sample.truth[:LETTERS]}", "black", font)
