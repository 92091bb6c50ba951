"""The same few validation images, drawn after each validation: image, truth, prediction."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol, cast

import lightning.pytorch as L
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from foveate.datasets.labels import LabelSet
from foveate.pipeline.drawing import draw_comparison
from foveate.pipeline.loggers.wandb import WandbLogger

Pixels = NDArray[np.uint8]


class GivesSamples(Protocol):
    """A data module that can hand out a few samples of a split."""

    def samples(self, split: str, count: int) -> Any:
        """The same few samples each time."""


class SampleOverlays(L.Callback):
    """Draw `count` validation images into a folder, and to W&B with class names if it logs.

    Args:
        folder: Where PNG files go, one folder a step.
        count: How many images; 0 draws none.
    """

    def __init__(self, folder: Path, count: int = 4) -> None:
        super().__init__()
        self.folder = folder
        self.count = count

    def on_validation_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Draw, in the first process only, with the weights that were evaluated."""
        gives = cast(GivesSamples, getattr(trainer, "datamodule", None))
        if trainer.sanity_checking or not trainer.is_global_zero or not self.count or not hasattr(gives, "samples"):
            return
        labels: LabelSet = pl_module.labels  # type: ignore[assignment]
        drawn = [_predict(pl_module, sample) for sample in _each(gives.samples("val", self.count))]
        folder = self.folder / f"step-{trainer.global_step:06d}"
        folder.mkdir(parents=True, exist_ok=True)
        for name, image, truth, prediction in drawn:
            Image.fromarray(draw_comparison(image, truth, prediction, labels)).save(folder / f"{name}.png")
        for logger in trainer.loggers:
            if isinstance(logger, WandbLogger):
                _send(logger, drawn, labels, trainer.global_step)


def _each(samples: Any) -> list[Any]:
    return [samples[index] for index in range(len(samples))]


def _predict(module: L.LightningModule, sample: dict[str, Any]) -> tuple[str, Pixels, Pixels, Pixels]:
    """Name, image (H, W, 3), truth and prediction (H, W) of a sample."""
    image: Tensor = sample["image"]
    with torch.no_grad(), module.trainer.precision_plugin.val_step_context():
        prediction = module(image[None].to(module.device)).argmax(1)[0]
    pixels = np.ascontiguousarray(image.numpy().transpose(1, 2, 0))
    return Path(sample["path"]).stem, pixels, sample["mask"].numpy(), prediction.cpu().numpy().astype(np.uint8)


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
