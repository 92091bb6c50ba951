"""The record of a folder of predicted label maps, counted against the labels of a data set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from foveate.datasets.files.pairs import Pair
from foveate.datasets.labels import IGNORE
from foveate.datasets.masks.values import read_label
from foveate.datasets.segmentation import SegmentationDataModule
from foveate.pipeline.errors import ConfigError, UnusableDataError
from foveate.pipeline.metrics.confusion import count_confusion
from foveate.pipeline.metrics.report import distinct
from foveate.pipeline.per_image.gathering import below
from foveate.pipeline.per_image.record import PixelRecord
from foveate.pipeline.per_image.rows import count_kinds
from foveate.pipeline.text import few

LABELS = "labels"  # where `foveate predict` writes its label maps


@dataclass(frozen=True)
class Truth:
    """The labels that predictions are counted against.

    Attributes:
        data: The data module.
        split: val or test.
        ids: Whether predictions hold the data set's regular ids, or train ids.
        leave_out: Whether images without a prediction are left out.
    """

    data: Any
    split: str
    ids: Literal["regular", "train"] = "regular"
    leave_out: bool = False


def record_predictions(folder: Path, truth: Truth) -> PixelRecord:
    """Count predicted label maps against labels, each pair of files on its own.

    A prediction has the name of its image, or of its label file, with the ending .png; it may lie in any folder below.

    Args:
        folder: The predictions: label PNGs, or what `foveate predict` wrote.
        truth: The labels.

    Raises:
        ConfigError: The data set is one of whole images.
        UnusableDataError: Predictions are missing, or have another size than their labels.
    """
    data = truth.data
    if not isinstance(data, SegmentationDataModule):
        raise ConfigError("--truth is for predictions of label maps; for classes of images compare records or runs")
    pairs = data.pairs_of(truth.split)
    files = _by_stem(folder / LABELS if (folder / LABELS).is_dir() else folder)
    found = [files.get(pair.image.stem) or files.get(pair.label.stem) for pair in pairs]
    missing = [pair.image.name for pair, file in zip(pairs, found, strict=True) if file is None]
    if len(missing) == len(pairs) or (missing and not truth.leave_out):
        raise UnusableDataError(
            f"{folder}: no prediction for {len(missing)} of {len(pairs)} images: {few(missing)}; a prediction is "
            f"called like its image, such as {Path(missing[0]).stem}.png"
        )
    places = [place for place, file in enumerate(found) if file is not None]
    groups = data.groups_of(truth.split)
    counts = [_count(data, pairs[place], Path(str(found[place])), truth.ids) for place in places]
    nothing = np.full(len(places), np.nan, dtype=np.float32)
    return PixelRecord(
        images=below([str(pairs[place].image) for place in places], data.root),
        groups=[groups[place] for place in places] if groups else (),
        names=tuple(distinct(data.label_set.names)),
        levels={level: tuple(given) for level, given in data.label_set.levels.items()},
        counts=np.stack(counts).astype(np.uint32),
        loss=nothing,
        confidence=nothing,
    )


def _by_stem(folder: Path) -> Mapping[str, Path]:
    files: dict[str, Path] = {}
    for path in sorted(folder.rglob("*.png")):
        if path.stem in files:
            raise UnusableDataError(f"two predictions are called {path.name}: {files[path.stem]} and {path}")
        files[path.stem] = path
    return files


def _count(data: SegmentationDataModule, pair: Pair, file: Path, ids: str) -> NDArray[np.int64]:
    labels, own = data.label_set, data.own_labels
    mask = data.reader().masks.read(pair)
    predicted = read_label(file, own.to_train_ids() if ids == "regular" else own.check_train_ids())
    if data.mapped is not None:
        predicted = data.mapped.table[predicted]
    if predicted.shape != mask.shape:
        sizes = " and ".join(f"{shape[0]} x {shape[1]}" for shape in (predicted.shape, mask.shape))
        raise UnusableDataError(f"{file} and {pair.label} have different sizes: {sizes} (height x width)")
    beyond = torch.from_numpy(np.where(predicted == IGNORE, len(labels), predicted).astype(np.int64))
    each = count_confusion(beyond, torch.from_numpy(np.ascontiguousarray(mask)), len(labels) + 1)
    return np.asarray(count_kinds(each[None], labels)[0].numpy())
