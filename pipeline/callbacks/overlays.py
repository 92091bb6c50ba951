"""The same few validation images, drawn after each validation: image, truth, prediction."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import lightning.pytorch as L
import numpy as np
from PIL import Image

from foveate.datasets.labels import LabelSet
from foveate.pipeline.callbacks.drawing import draw_comparison
from foveate.pipeline.callbacks.sample_drawer import Pixels, SampleDrawer, pixels_of, predict, wandb_loggers
from foveate.pipeline.loggers.wandb import WandbLogger


class SampleOverlays(SampleDrawer):
    """Draw `count` validation images, and send them to W&B with class names if it logs.

    Args:
        folder: Where PNG files go, one folder a step.
        count: How many images; 0 draws none.
    """

    def __init__(self, folder: Path, count: int = 4) -> None:
        super().__init__(folder, count)

    def draw(self, module: L.LightningModule, samples: Sequence[dict[str, Any]], step: str) -> None:
        """Write a picture of each."""
        labels: LabelSet = module.labels  # type: ignore[assignment]
        drawn = [_predict(module, sample) for sample in samples]
        folder = self.folder / step
        folder.mkdir(parents=True, exist_ok=True)
        for name, image, truth, prediction in drawn:
            Image.fromarray(draw_comparison(image, truth, prediction, labels)).save(folder / f"{name}.png")
        for logger in wandb_loggers(module.trainer):
            _send(logger, drawn, labels, module.trainer.global_step)


def _predict(module: L.LightningModule, sample: dict[str, Any]) -> tuple[str, Pixels, Pixels, Pixels]:
    """Name, image (H, W, 3), truth and prediction (H, W) of a sample."""
    prediction = predict(module, sample["image"][None]).argmax(1)[0].cpu().numpy().astype(np.uint8)
    return Path(sample["path"]).stem, pixels_of(sample["image"]), sample["mask"].numpy(), prediction


def _send(logger: WandbLogger, drawn: list[tuple[str, Pixels, Pixels, Pixels]], labels: LabelSet, step: int) -> None:
    names = dict(enumerate(labels.names))
    masks = [
        {
            "truth": {"mask_data": truth, "class_labels": {**names, 255: "ignored"}},
            "prediction": {"mask_data": prediction, "class_labels": names},
        }
        for _, _, truth, prediction in drawn
    ]
    logger.log_image(
        "val/samples", [image for _, image, _, _ in drawn], step, masks=masks, caption=[name for name, *_ in drawn]
    )
