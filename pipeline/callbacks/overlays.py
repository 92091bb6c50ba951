"""The same few validation images, drawn after each validation: image, label, prediction, errors."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import lightning.pytorch as L
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from foveate.datasets.labels import IGNORE, LabelSet
from foveate.pipeline.callbacks.drawing import Pixels, draw_comparison, save_picture
from foveate.pipeline.callbacks.sample_drawer import PictureOptions, SampleDrawer, pixels_of, predict, wandb_loggers
from foveate.pipeline.loggers.wandb import WandbLogger
from foveate.pipeline.metrics.confusion import count_confusion, score

COUNT = 4


class Sample(NamedTuple):
    """Name, image (H, W, 3), and true and predicted train ids (H, W)."""

    name: str
    image: Pixels
    truth: NDArray[Any]
    prediction: NDArray[Any]


class SampleOverlays(SampleDrawer):
    """Draw a few validation images, and send them to W&B with class names if that logger is used.

    Args:
        folder: Where pictures go, one folder a step.
        options: How many, how often and how large; 4 if no number is given.
    """

    def __init__(self, folder: Path, options: PictureOptions = PictureOptions()) -> None:  # noqa: B008  frozen
        super().__init__(folder, options, default_count=COUNT)

    def draw(self, module: L.LightningModule, samples: Sequence[dict[str, Any]], step: int) -> None:
        """Write a picture of each.

        Args:
            module: The task.
            samples: Of the data module.
            step: Optimiser steps done.
        """
        labels: LabelSet = module.labels  # type: ignore[assignment]
        drawn = [_predict(module, sample) for sample in samples]
        for name, image, truth, prediction in drawn:
            miou = score(count_confusion(torch.tensor(prediction), torch.tensor(truth), len(labels))).miou
            title = f"{name}, step {step}, mIoU of this picture {100 * miou:.1f} %"
            picture = draw_comparison(image, truth, prediction, labels, title=title, side=self.options.side)
            with self.files.attempt():
                save_picture(picture, self.folder / f"step-{step:06d}" / name)
        for logger in wandb_loggers(module.trainer):
            logger.guard.call(_send, logger, [_fit(sample, self.options.side) for sample in drawn], labels, step)


def _predict(module: L.LightningModule, sample: dict[str, Any]) -> Sample:
    prediction = predict(module, sample["image"][None]).argmax(1)[0].cpu().numpy()
    truth = sample["mask"].numpy()
    return Sample(Path(sample["path"]).stem, pixels_of(sample["image"]), truth, prediction.astype(np.int64))


def _fit(sample: Sample, side: int) -> Sample:
    """The sample, reduced until neither side is longer than asked."""
    height, width = sample.truth.shape
    scale = side / max(height, width)
    if scale >= 1:
        return sample
    rows, columns = _evenly(height, scale), _evenly(width, scale)
    small = Image.fromarray(sample.image).resize((len(columns), len(rows)), Image.Resampling.BOX)
    maps = (ids[rows][:, columns] for ids in (sample.truth, sample.prediction))
    return Sample(sample.name, np.asarray(small), *maps)


def _evenly(length: int, scale: float) -> NDArray[np.int64]:
    """The middle row, or column, of each of those that a reduced picture has."""
    count = max(1, round(length * scale))
    return ((np.arange(count) + 0.5) * length / count).astype(np.int64)


def _send(logger: WandbLogger, drawn: Sequence[Sample], labels: LabelSet, step: int) -> None:
    """Send images with masks that can be switched on and off; W&B keeps masks in bytes, so of up to 255 classes."""
    names, captions = dict(enumerate(labels.names)), [sample.name for sample in drawn]
    if len(names) > IGNORE:
        pictures = [draw_comparison(image, truth, said, labels, title=name) for name, image, truth, said in drawn]
        logger.log_image("val/samples", pictures, step, caption=captions)
        return
    masks = [
        {
            "ground_truth": {"mask_data": truth.astype(np.uint8), "class_labels": {**names, IGNORE: "ignored"}},
            "predictions": {"mask_data": prediction.astype(np.uint8), "class_labels": names},
        }
        for _, _, truth, prediction in drawn
    ]
    logger.log_image("val/samples", [sample.image for sample in drawn], step, masks=masks, caption=captions)
