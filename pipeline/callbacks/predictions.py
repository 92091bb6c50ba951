"""Writes each prediction at once: label PNGs and overlays, with the input's sub-folders."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import lightning.pytorch as L
import numpy as np
from lightning.pytorch.callbacks import BasePredictionWriter
from PIL import Image
from torch import Tensor

from foveate.datasets.batch import SegmentationBatch
from foveate.datasets.labels import LabelSet
from foveate.pipeline.callbacks.drawing import SIDE, compose, draw_overlay, legend_of, save_picture
from foveate.pipeline.callbacks.sample_drawer import pixels_of
from foveate.pipeline.files import fitting, replacing
from foveate.pipeline.text import few
from foveate.pipeline.tiling import LARGEST, is_large

LABELS = "labels"  # folder of the label maps


class PredictionWriter(BasePredictionWriter):
    """For `<folder>/a/b.jpg` write `<out>/labels/a/b.png` and `<out>/overlays/a/b.png`, a large overlay as JPEG.

    Label files hold the data set's regular ids at the image's size. Overlays are for viewing: with a legend, and at
    most 1600 pixels high and wide. If two images differ only in their file extension, the output names keep it
    (b.jpg.png), so that neither overwrites the other.

    Args:
        out: Folder to write to.
        folder: What the image paths are relative to.
        paths: All images, to see which names collide.
        overlays: Whether overlays are written too.
    """

    def __init__(self, out: Path, folder: Path, paths: Sequence[Path], *, overlays: bool = True) -> None:
        super().__init__(write_interval="batch")
        self.out = out
        self.folder = folder
        self.overlays = overlays
        self.faults: list[str] = []
        self.tiled = 0  # images that were labelled tile by tile
        self.shortened: dict[str, str] = {}  # image -> name of its files, where its own is too long with an ending
        stems = [path.with_suffix("") for path in paths]
        self._ambiguous = {stem for stem in stems if stems.count(stem) > 1} if len(set(stems)) < len(stems) else set()

    @property
    def written(self) -> str:
        """A sentence about what was written."""
        told = f"label maps in {self.out / LABELS}"
        told += f", overlays in {self.out / 'overlays'}" if self.overlays else ""
        if self.tiled:
            told += f"; {self.tiled} of more than {LARGEST:,} pixels in overlapping tiles, to save memory"
        if not self.shortened:
            return told
        listed = few((f"{image} -> {name}" for image, name in self.shortened.items()), 1)
        return f"{told}; {len(self.shortened)} names were shortened, since a name has at most 255 bytes: {listed}"

    def write_on_batch_end(
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        prediction: Tensor,
        batch_indices: Sequence[object] | None,
        batch: SegmentationBatch,
        batch_idx: int,
        dataloader_idx: int,
    ) -> None:
        """Write the files of a batch."""
        labels: LabelSet = pl_module.labels  # type: ignore[assignment]
        faults = batch.get("faults") or [""] * len(prediction)
        for ids, image, path, fault in zip(prediction, batch["image"], batch["path"], faults, strict=True):
            if fault:
                self.faults.append(fault)
                continue
            whole = getattr(getattr(pl_module, "inference_config", None), "short_side", None) is not None
            self.tiled += is_large(image.shape[-2], image.shape[-1]) and not whole
            name = self.name_for(Path(path))
            pixels = pixels_of(image)
            train_ids = ids.cpu().numpy()
            _write(self.out / LABELS / name, labels.to_regular_ids()[train_ids])
            if not self.overlays:
                continue
            overlay = [("", draw_overlay(pixels, train_ids, labels))]
            picture = compose(path, overlay, legend_of(labels, train_ids), columns=1, side=SIDE)
            save_picture(picture, (self.out / "overlays" / name).with_suffix(""))

    def name_for(self, path: Path) -> Path:
        """The relative name of the files for an image."""
        relative = path.relative_to(self.folder)
        name = f"{relative.name if path.with_suffix('') in self._ambiguous else relative.stem}.png"
        if fitting(name) != name:
            self.shortened[str(relative)] = fitting(name)
        return relative.with_name(fitting(name))


def _write(path: Path, pixels: Any) -> None:
    """Write a PNG atomically, so that an interruption leaves no incomplete file."""
    with replacing(path, flush=False) as draft:
        Image.fromarray(np.ascontiguousarray(pixels)).save(draft, format="PNG")
