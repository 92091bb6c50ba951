"""One training of a comparison, and the result that is stored."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from zipfile import BadZipFile

import lightning.pytorch as L
import numpy as np
import torch
from lightning.pytorch.callbacks import Callback
from numpy.typing import NDArray
from torch import Tensor

from foveate.datasets.loading.workers import workers_ended
from foveate.pipeline.comparison.bootstrap import Counts, draw_scores
from foveate.pipeline.comparison.entries import Entry
from foveate.pipeline.comparison.study import CellCLI, Study
from foveate.pipeline.files import replacing
from foveate.pipeline.measuring.receptive_field import effective_map
from foveate.pipeline.task import VisionTask

RESULT = "result.npz"
REACH_IMAGES = 8


@dataclass(frozen=True)
class Cell:
    """The result of one training: one block with one seed.

    Attributes:
        counts: Counts of each validation image, from which the score is computed.
        losses: Training loss of each step.
        reach: Influence of each pixel of an image on the centre of the encoder's last feature.
        seconds: Duration of the training.
        similarity: Of the distilled encoder that it started from to its teacher; NaN for another start.
        distilling: Time in seconds that the encoder took; NaN likewise.
    """

    counts: Counts
    losses: NDArray[np.float32]
    reach: NDArray[np.float32]
    seconds: float = math.nan
    similarity: float = math.nan
    distilling: float = math.nan
    _drawn: dict[str, NDArray[np.float64]] = field(default_factory=dict, init=False, repr=False, compare=False)

    @property
    def cost(self) -> float:
        """Seconds of training and of what came before it."""
        return self.seconds + (0.0 if math.isnan(self.distilling) else self.distilling)

    def draw_scores(self, score: str) -> NDArray[np.float64]:
        """Bootstrap scores, over images drawn with replacement; computed once and cached.

        Args:
            score: `mIoU` or `accuracy`.
        """
        if score not in self._drawn:
            self._drawn[score] = draw_scores(self.counts, score)
        return self._drawn[score]


@dataclass
class Losses(Callback):
    """Record the loss of each optimiser step."""

    values: list[float] = field(default_factory=list)

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: object, batch: object, batch_idx: int
    ) -> None:
        """Record the loss."""
        loss = outputs["loss"] if isinstance(outputs, dict) else outputs
        if isinstance(loss, Tensor):
            self.values.append(loss.item())


def run_cell(study: Study, entry: Entry, seed: int) -> Cell:
    """Train a block with one seed and store the result; nothing is stored if the training does not finish.

    Args:
        study: The settings that all blocks share.
        entry: The block.
        seed: Seed of the initial weights and of the order of the images.
    """
    cli, start = study.begin(entry, seed)
    cell = train_cell(cli, Losses())
    if start is not None:
        cell = replace(cell, similarity=start.similarity, distilling=start.seconds)
    for logger in cli.trainer.loggers:
        logger.finalize("success")
    write_cell(study.folder(entry, seed) / RESULT, cell)
    return cell


def train_cell(cli: CellCLI, losses: Losses) -> Cell:
    """Train a block, validate it, and look at what its last feature sees.

    Args:
        cli: Its task, data and trainer.
        losses: A callback that records the loss of each step.
    """
    started = time.perf_counter()
    cli.trainer.callbacks.append(losses)  # type: ignore[attr-defined]
    with workers_ended():
        cli.trainer.fit(cli.model, cli.datamodule)
        return Cell(
            counts=cli.counts.counts(),
            losses=np.array(losses.values, dtype=np.float32),
            reach=_reach(cli),
            seconds=time.perf_counter() - started,
        )


def _reach(cli: CellCLI) -> NDArray[np.float32]:
    """Effective receptive field over the first validation images, of those that have the size of the first one."""
    task = cli.model
    assert isinstance(task, VisionTask)
    images: list[Tensor] = []
    for batch in cli.datamodule.val_dataloader():
        images += [image for image in batch["image"] if not images or image.shape == images[0].shape]
        if len(images) >= REACH_IMAGES:
            break
    pixels = torch.stack(images[:REACH_IMAGES]).to(task.device)
    return effective_map(task.network.encoder, task.normalise(pixels))  # type: ignore[arg-type]


def write_cell(path: Path, cell: Cell) -> None:
    """Store a result; the file appears only once it is complete."""
    with replacing(path) as draft, draft.open("wb") as file:
        np.savez_compressed(
            file,
            counts=cell.counts,
            losses=cell.losses,
            reach=cell.reach,
            seconds=cell.seconds,
            similarity=cell.similarity,
            distilling=cell.distilling,
        )


def read_cell(path: Path) -> Cell | None:
    """A stored result; None if there is none or it cannot be read."""
    try:
        with path.open("rb") as file, np.load(file) as kept:  # numpy does not close a file that it cannot read
            start = [float(kept[key]) if key in kept else math.nan for key in ("similarity", "distilling")]
            return Cell(kept["counts"], kept["losses"], kept["reach"], float(kept["seconds"]), *start)
    except (OSError, ValueError, KeyError, EOFError, BadZipFile):
        return None
