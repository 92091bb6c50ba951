"""Writes each prediction at once: label maps, overlays and other files, with the input's sub-folders."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import lightning.pytorch as L
from lightning.pytorch.callbacks import BasePredictionWriter
from torch import Tensor

from foveate.datasets.batch import SegmentationBatch
from foveate.pipeline.callbacks.prediction_files import Labelled, PredictionFiles
from foveate.pipeline.callbacks.share_table import ShareTable
from foveate.pipeline.files import fitting
from foveate.pipeline.inference.large import LARGEST, is_large
from foveate.pipeline.inference.prediction import PixelPrediction
from foveate.pipeline.outputs import FOLDERS, SHARES
from foveate.pipeline.text import few

PHRASES = {"labels": "label maps", "overlay": "overlays", "palette": "coloured label maps"}


class PredictionWriter(BasePredictionWriter):
    """For `<folder>/a/b.jpg` write `<out>/labels/a/b.png`, `<out>/overlays/a/b.png` and the like.

    Label files hold the data set's regular ids at the image's size. Overlays are for viewing: with a legend, at most
    1600 pixels high and wide, a large one as JPEG. If two images differ only in their file extension, the output names
    keep it (b.jpg.png), so that neither overwrites the other.

    Args:
        files: Writes the files of an image.
        folder: What the image paths are relative to.
        paths: All images, to see which names collide.
        resume: Keep the rows of a table that was begun.
    """

    def __init__(self, files: PredictionFiles, folder: Path, paths: Sequence[Path], *, resume: bool = False) -> None:
        super().__init__(write_interval="batch")
        self.files = files
        self.folder = folder
        self.resume = resume
        self.faults: list[str] = []
        self.large = 0  # images that were labelled area by area
        self.shortened: dict[str, str] = {}  # image -> name of its files, where its own is too long with an ending
        stems = Counter(path.with_suffix("") for path in paths)
        self._ambiguous = {stem for stem, count in stems.items() if count > 1}

    @property
    def written(self) -> str:
        """A sentence about what was written."""
        out, outputs = self.files.out, self.files.outputs
        places = [(PHRASES.get(name, name), out / FOLDERS[name][0]) for name in outputs if name in FOLDERS]
        places += [("shares of the classes", self.table().file)] if SHARES in outputs else []
        told = ", ".join(f"{phrase} in {place}" for phrase, place in places)
        if self.large:
            told += f"; {self.large} of more than {LARGEST:,} pixels area by area, to save memory"
        if not self.shortened:
            return told
        listed = few((f"{image} -> {name}" for image, name in self.shortened.items()), 1)
        return f"{told}; {len(self.shortened)} names were shortened, since a name has at most 255 bytes: {listed}"

    def table(self, rank: int = 0) -> ShareTable:
        """The table of the classes' shares.

        Args:
            rank: Number of the process.
        """
        return ShareTable(self.files.out, self.files.labels.names, rank)

    def finished(self, paths: Sequence[Path]) -> frozenset[Path]:
        """The images of which every file was written before.

        Args:
            paths: All images.
        """
        rows = self.table().known() if SHARES in self.files.outputs else None
        return frozenset(
            path
            for path in paths
            if self.files.exist(self.name_for(path)) and (rows is None or self._relative(path).as_posix() in rows)
        )

    def on_predict_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Begin a new table of shares."""
        if SHARES in self.files.outputs and not self.resume:
            if trainer.is_global_zero:
                self.table().clear()
            trainer.strategy.barrier()

    def write_on_batch_end(
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        prediction: Tensor | PixelPrediction,
        batch_indices: Sequence[object] | None,
        batch: SegmentationBatch,
        batch_idx: int,
        dataloader_idx: int,
    ) -> None:
        """Write the files of a batch."""
        found = prediction if isinstance(prediction, PixelPrediction) else PixelPrediction(prediction)
        faults = batch.get("faults") or [""] * len(found.labels)
        for number, (image, path, fault) in enumerate(zip(batch["image"], batch["path"], faults, strict=True)):
            if fault:
                self.faults.append(fault)
                continue
            train_ids = found.labels[number].cpu().numpy()
            self.large += is_large(*train_ids.shape)
            if SHARES in self.files.outputs:
                self.table(trainer.global_rank).add(self._relative(Path(path)).as_posix(), train_ids)
            shown = batch.get("windows", image[None])
            confidence, probabilities = (None if part is None else part[number].cpu().numpy() for part in found[1:])
            self.files.write(Labelled(self.name_for(Path(path)), path, shown, train_ids, confidence, probabilities))

    def on_predict_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Write the table of shares."""
        if SHARES in self.files.outputs:
            trainer.strategy.barrier()
            if trainer.is_global_zero:
                self.table().merge()

    def name_for(self, path: Path) -> Path:
        """The relative name of the files for an image."""
        relative = self._relative(path)
        name = f"{relative.name if path.with_suffix('') in self._ambiguous else relative.stem}.png"
        if fitting(name) != name:
            self.shortened[str(relative)] = fitting(name)
        return relative.with_name(fitting(name))

    def _relative(self, path: Path) -> Path:
        return path.relative_to(self.folder)
