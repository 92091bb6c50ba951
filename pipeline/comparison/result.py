"""One training of a comparison, and what is kept of it."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from pathlib import Path
from zipfile import BadZipFile

import lightning.pytorch as L
import numpy as np
import torch
from lightning.pytorch.callbacks import Callback
from numpy.typing import NDArray
from torch import Tensor

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
    """What came of a training.

    Attributes:
        counts: What each validation image adds to the score.
        losses: Training loss of each step.
        reach: How strongly each pixel of an image moves the encoder's last feature in the middle.
        seconds: How long it took.
    """

    counts: Counts
    losses: NDArray[np.float32]
    reach: NDArray[np.float32]
    seconds: float = math.nan
    _drawn: dict[str, NDArray[np.float64]] = field(default_factory=dict, init=False, repr=False, compare=False)

    def draw_scores(self, score: str) -> NDArray[np.float64]:
        """Scores over images drawn with replacement; computed once.

        Args:
            score: `mIoU` or `accuracy`.
        """
        if score not in self._drawn:
            self._drawn[score] = draw_scores(self.counts, score)
        return self._drawn[score]


@dataclass
class Losses(Callback):
    """The loss of each optimiser step."""

    values: list[float] = field(default_factory=list)

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: object, batch: object, batch_idx: int
    ) -> None:
        """Note the loss."""
        loss = outputs["loss"] if isinstance(outputs, dict) else outputs
        if isinstance(loss, Tensor):
            self.values.append(loss.item())


def run_cell(study: Study, entry: Entry, seed: int) -> Cell:
    """Train a block with a seed, and keep the result; nothing is kept of a training that ends early.

    Args:
        study: What is held the same.
        entry: The block.
        seed: Of the weights and the order of images.
    """
    started = time.perf_counter()
    cli = study.build(entry, seed)
    losses = Losses()
    cli.trainer.callbacks.append(losses)  # type: ignore[attr-defined]
    cli.trainer.fit(cli.model, cli.datamodule)
    cell = Cell(
        counts=cli.counts.counts(),
        losses=np.array(losses.values, dtype=np.float32),
        reach=_reach(cli),
        seconds=time.perf_counter() - started,
    )
    for logger in cli.trainer.loggers:
        logger.finalize("success")
    write_cell(study.folder(entry, seed) / RESULT, cell)
    return cell


def _reach(cli: CellCLI) -> NDArray[np.float32]:
    """On the first validation images that have the size of the first."""
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
    """Keep a result, whole or not at all."""
    with replacing(path) as draft, draft.open("wb") as file:
        np.savez_compressed(file, counts=cell.counts, losses=cell.losses, reach=cell.reach, seconds=cell.seconds)


def read_cell(path: Path) -> Cell | None:
    """A result that was kept; None if there is none that can be read."""
    try:
        with path.open("rb") as file, np.load(file) as kept:  # numpy leaves a file open that it cannot read
            return Cell(kept["counts"], kept["losses"], kept["reach"], float(kept["seconds"]))
    except (OSError, ValueError, KeyError, EOFError, BadZipFile):
        return None
