"""Writes the classes of images to a table."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path

import lightning.pytorch as L
from lightning.pytorch.callbacks import BasePredictionWriter

from foveate.datasets.batch import SegmentationBatch
from foveate.datasets.classes import ClassSet
from foveate.pipeline.files import replacing
from foveate.pipeline.metrics.classification import FIRST, Prediction

NAME = "predictions.csv"


class ClassPredictionWriter(BasePredictionWriter):
    """Write `<out>/predictions.csv`: path, most probable class and its probability for each image, then the next
    four classes with their probabilities.

    Args:
        out: Folder to write to.
        folder: What the image paths are relative to.
    """

    def __init__(self, out: Path, folder: Path) -> None:
        super().__init__(write_interval="batch")
        self.out = out
        self.folder = folder
        self.faults: list[str] = []
        self._rows: dict[str, list[str]] = {}

    @property
    def written(self) -> str:
        """A sentence about what was written."""
        return f"classes in {self.out / NAME}"

    def write_on_batch_end(
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        prediction: Prediction,
        batch_indices: Sequence[object] | None,
        batch: SegmentationBatch,
        batch_idx: int,
        dataloader_idx: int,
    ) -> None:
        """Keep the rows of a batch."""
        labels: ClassSet = pl_module.labels  # type: ignore[assignment]
        faults = batch.get("faults") or [""] * len(batch["path"])
        found = zip(prediction.classes.tolist(), prediction.probabilities.tolist(), strict=True)
        for path, (classes, shares), fault in zip(batch["path"], found, faults, strict=True):
            if fault:
                self.faults.append(fault)
                continue
            pairs = zip(classes, shares, strict=True)
            cells = [cell for number, share in pairs for cell in (labels.names[number], f"{share:.6f}")]
            self._rows[Path(path).relative_to(self.folder).as_posix()] = cells

    def on_predict_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Write the table; with several processes, the first one merges their parts."""
        parts = [self.out / f".{NAME}.{rank}" for rank in range(trainer.world_size)]
        _write(parts[trainer.global_rank], ([path, *cells] for path, cells in self._rows.items()))
        trainer.strategy.barrier()
        if trainer.is_global_zero:
            rows = {row[0]: row for part in parts for row in _read(part)}
            _write(self.out / NAME, [_header(rows.values()), *(rows[path] for path in sorted(rows))])
            for part in parts:
                part.unlink()


def _header(rows: Iterable[Sequence[str]]) -> list[str]:
    columns = max(map(len, rows), default=1 + 2 * FIRST)
    further = [f"{name}_{number}" for number in range(2, 1 + columns // 2) for name in ("class", "probability")]
    return ["path", "class", "probability", *further]


def _write(path: Path, rows: Iterable[Sequence[str]]) -> None:
    """Write a table atomically, so that an interruption leaves no incomplete file."""
    with replacing(path) as draft, draft.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)


def _read(path: Path) -> list[list[str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))
