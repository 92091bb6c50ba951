"""Counts of each validation image, and the bootstrap: scores over images drawn with replacement."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import lightning.pytorch as L
import numpy as np
import torch
from lightning.pytorch.callbacks import Callback
from numpy.typing import NDArray
from torch import Tensor

from foveate.pipeline.metrics.confusion import count_confusion
from foveate.pipeline.per_image.figures import pixel_score
from foveate.pipeline.resampling.counts import DenseCounts
from foveate.pipeline.resampling.draws import DRAWS, times_drawn

Counts = NDArray[np.float64]  # (images, 3 K): correct, labelled and predicted pixels of each class


class SampleCounts(Callback):
    """Collect the counts of each image during a validation: pixels per class, or one image of a class.

    Args:
        num_classes: Number of classes K.

    Attributes:
        confusion: The sum of all images' confusion matrices (K, K), labels in rows.
    """

    def __init__(self, num_classes: int) -> None:
        self.num_classes = num_classes
        self.rows: list[Tensor] = []
        self.confusion = torch.zeros(num_classes, num_classes, dtype=torch.int64)

    def on_validation_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Discard the counts of the last validation."""
        self.rows = []
        self.confusion = torch.zeros_like(self.confusion)

    def on_validation_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Any, *args: Any, **kwargs: Any
    ) -> None:
        """Count a batch, from the predicted classes that the validation step returns."""
        labels = batch["mask"] if "mask" in batch else batch["label"]
        for predicted, wanted in zip(outputs, labels, strict=True):
            confusion = count_confusion(predicted.reshape(-1), wanted.reshape(-1), self.num_classes)
            self.rows.append(torch.cat([confusion.diagonal(), confusion.sum(1), confusion.sum(0)]).cpu())
            self.confusion += confusion.cpu().to(torch.int64)

    def counts(self) -> Counts:
        """One row per image so far."""
        return torch.stack(self.rows).numpy().astype(np.float64)


def mean_iou(counts: Counts) -> NDArray[np.float64]:
    """Mean IoU over the classes that occur, from summed counts (..., 3 K)."""
    return np.asarray(pixel_score((counts.shape[-1] // 3,))(counts)[..., 0])


def accuracy(counts: Counts) -> NDArray[np.float64]:
    """Share of the labelled pixels or images that are predicted correctly, from summed counts (..., 3 K)."""
    return np.asarray(pixel_score((counts.shape[-1] // 3,))(counts)[..., 2])


SCORES = {"mIoU": mean_iou, "accuracy": accuracy}


def bootstrap(seeds: Sequence[Counts], score: str, *, draws: int = DRAWS) -> NDArray[np.float64]:
    """Bootstrap scores (draws,) of a block, averaged over its seeds; each draw uses the same images for all seeds.

    The draws depend only on the number of images, so two blocks are compared on the same draws.

    Args:
        seeds: Counts of each seed, for the same images in the same order.
        score: `mIoU` or `accuracy`.
        draws: Number of bootstrap draws.
    """
    return average([draw_scores(counts, score, draws=draws) for counts in seeds])


def draw_scores(counts: Counts, score: str, *, draws: int = DRAWS) -> NDArray[np.float64]:
    """Bootstrap scores (draws,) of one training: each over as many images, drawn with replacement.

    Args:
        counts: One row per image.
        score: `mIoU` or `accuracy`.
        draws: Number of bootstrap draws.
    """
    units = DenseCounts(counts)
    return np.concatenate([SCORES[score](units.weighted(times)) for times in times_drawn(len(units), draws)])


def average(drawn: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Mean over the trainings, for each draw."""
    mean: NDArray[np.float64] = np.mean(drawn, axis=0)
    return mean


def interval(values: NDArray[np.float64]) -> tuple[float, float]:
    """The 2.5 % and 97.5 % quantiles: a 95 % interval."""
    low, high = np.nanpercentile(values, [2.5, 97.5])
    return float(low), float(high)
