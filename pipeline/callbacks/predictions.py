"""Writes each prediction at once: label PNGs and overlays, with the input's sub-folders."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import lightning.pytorch as L
import numpy as np
from lightning.pytorch.callbacks import BasePredictionWriter
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from foveate.datasets.batch import SegmentationBatch
from foveate.datasets.labels import LabelSet
from foveate.pipeline.callbacks.drawing import SIDE, compose, draw_overlay, legend_of, save_picture
from foveate.pipeline.callbacks.reducing import reduce_pair
from foveate.pipeline.callbacks.sample_drawer import pixels_of
from foveate.pipeline.files import fitting, replacing
from foveate.pipeline.inference.large import LARGEST, is_large
from foveate.pipeline.models.upsampling import Rows
from foveate.pipeline.text import few

BAND = 256  # rows of a large label map that are renumbered at a time

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
        self.large = 0  # images that were labelled area by area
        self.shortened: dict[str, str] = {}  # image -> name of its files, where its own is too long with an ending
        stems = [path.with_suffix("") for path in paths]
        self._ambiguous = {stem for stem in stems if stems.count(stem) > 1} if len(set(stems)) < len(stems) else set()

    @property
    def written(self) -> str:
        """A sentence about what was written."""
        told = f"label maps in {self.out / LABELS}"
        told += f", overlays in {self.out / 'overlays'}" if self.overlays else ""
        if self.large:
            told += f"; {self.large} of more than {LARGEST:,} pixels area by area, to save memory"
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
            name = self.name_for(Path(path))
            train_ids = ids.cpu().numpy()
            self.large += is_large(*train_ids.shape)
            picture = None
            if self.overlays:  # before a large label map is renumbered in place
                picture = _overlay(path, batch.get("windows", image[None]), train_ids, labels)
            _write(self.out / LABELS / name, _renumbered(train_ids, labels.to_regular_ids()))
            if picture is not None:
                save_picture(picture, (self.out / "overlays" / name).with_suffix(""))

    def name_for(self, path: Path) -> Path:
        """The relative name of the files for an image."""
        relative = path.relative_to(self.folder)
        name = f"{relative.name if path.with_suffix('') in self._ambiguous else relative.stem}.png"
        if fitting(name) != name:
            self.shortened[str(relative)] = fitting(name)
        return relative.with_name(fitting(name))


def _overlay(title: str, image: Rows | Tensor, train_ids: NDArray[Any], labels: LabelSet) -> Image.Image:
    """The picture of an image (1, C, H, W) under the colours of its classes."""
    if is_large(*train_ids.shape):
        pixels, drawn = reduce_pair(image, train_ids)
    else:
        pixels, drawn = pixels_of(image[..., slice(0, image.shape[2]), slice(0, image.shape[3])][0]), train_ids
    return compose(title, [("", draw_overlay(pixels, drawn, labels))], legend_of(labels, drawn), columns=1, side=SIDE)


def _renumbered(train_ids: NDArray[Any], table: NDArray[Any]) -> NDArray[Any]:
    """Train ids as regular ids; a large label map of bytes is changed in place, band by band."""
    if not is_large(*train_ids.shape) or train_ids.dtype != table.dtype:
        renumbered: NDArray[Any] = table[train_ids]
        return renumbered
    for top in range(0, len(train_ids), BAND):
        band = train_ids[top : top + BAND]
        band[...] = table[band]
    return train_ids


def _write(path: Path, pixels: Any) -> None:
    """Write a PNG atomically, so that an interruption leaves no incomplete file."""
    with replacing(path, flush=False) as draft:
        Image.fromarray(np.ascontiguousarray(pixels)).save(draft, format="PNG")
