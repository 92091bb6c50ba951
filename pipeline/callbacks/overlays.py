"""The same few validation images, drawn after each validation: image, label, prediction, errors."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import lightning.pytorch as L
import numpy as np
import torch
from numpy.typing import NDArray

from foveate.datasets.labels import LabelSet
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
            save_picture(picture, self.folder / f"step-{step:06d}" / name)
        for logger in wandb_loggers(module.trainer):
            _send(logger, drawn, labels, step)


def _predict(module: L.LightningModule, sample: dict[str, Any]) -> Sample:
    prediction = predict(module, sample["image"][None]).argmax(1)[0].cpu().numpy()
    truth = sample["mask"].numpy()
    return Sample(Path(sample["path"]).stem, pixels_of(sample["image"]), truth, prediction.astype(np.int64))


def _send(logger: WandbLogger, drawn: Sequence[Sample], labels: LabelSet, step: int) -> None:
    names = dict(enumerate(labels.names))
    masks = [
        {
            "truth": {"mask_data": truth, "class_labels": {**names, 255: "ignored"}},
            "prediction": {"mask_data": prediction.astype(truth.dtype), "class_labels": names},
        }
        for _, _, truth, prediction in drawn
    ]
    logger.log_image(
        "val/samples", [image for _, image, _, _ in drawn], step, masks=masks, caption=[name for name, *_ in drawn]
    )
