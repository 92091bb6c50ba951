"""The samples of a page: as stored, as the network gets them, and what was drawn."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import UInt8

from foveate.datasets.augment.classification import ClassifierTrainTransform
from foveate.datasets.augment.draw import Draw
from foveate.datasets.batch import Pick
from foveate.datasets.classification import ClassificationDataModule
from foveate.datasets.errors import DataConfigError
from foveate.datasets.files.survey import spread
from foveate.datasets.segmentation import SegmentationDataModule
from foveate.datasets.view.telling import tell_applied, tell_draw

Stored = UInt8[np.ndarray, "h w C"]
Image = UInt8[np.ndarray, "H W C"]
Mask = UInt8[np.ndarray, "H W"]
Box = tuple[float, float, float, float]  # top, left, bottom and right, as shares of height and width
STAGES = {"train": "fit", "val": "validate", "test": "test"}


@dataclass(frozen=True, kw_only=True, eq=False)
class Shown:
    """A sample for the page.

    Attributes:
        path: Where it comes from.
        lines: What is told of it.
        original: The image as stored.
        box: The part of it that the sample shows; None where that is not known, or all.
        image: The image that the network gets.
        mask: Its train ids; None of classification.
    """

    path: str
    lines: Sequence[str]
    original: Stored
    box: Box | None
    image: Image
    mask: Mask | None = None


def show_samples(data: SegmentationDataModule | ClassificationDataModule, split: str, count: int) -> Iterator[Shown]:
    """The first samples of a training, or evenly spread images of val or test as they are evaluated.

    Args:
        data: The data set.
        split: train, val or test.
        count: How many at most.

    Raises:
        DataConfigError: There is no such split.
        DataError: The split cannot be found, or a file cannot be read.
    """
    if split not in STAGES:
        raise DataConfigError(f"split is {', '.join(STAGES)}, not {split!r}")
    data.setup(STAGES[split])
    picks = data.first_picks(count) if split == "train" else [Pick(i) for i in spread(len(data.dataset(split)), count)]
    for pick in picks:
        if isinstance(data, SegmentationDataModule):
            yield _show_pair(data, split, pick)
        else:
            yield _show_image(data, split, pick)


def _show_pair(data: SegmentationDataModule, split: str, pick: Pick) -> Shown:
    dataset = data.dataset(split)
    explained = dataset.explain(pick)
    original, (image, mask) = np.asarray(explained.original[0]), explained.sample
    size, draw = (original.shape[0], original.shape[1]), explained.draw
    if draw is None:
        lines = [f"{size[0]} x {size[1]}, as stored"]
    else:
        lines = tell_draw(draw, data.label_set.names, size, lambda index: dataset.pairs[index].image.name)
    return Shown(
        path=_short(explained.path, data.root),
        lines=lines,
        original=original,
        box=None if draw is None else _box(draw, size),
        image=np.asarray(image),
        mask=np.asarray(mask),
    )


def _short(path: str, root: Path | None) -> str:
    """A path below the data set's folder, where it is there."""
    return path if root is None or not Path(path).is_relative_to(root) else str(Path(path).relative_to(root))


def _box(draw: Draw, size: tuple[int, int]) -> Box:
    window, (height, width) = draw.window, (draw.scale * side for side in size)
    top, left = window.top / height, window.left / width
    return top, left, top + window.height / height, left + window.width / width


def _show_image(data: ClassificationDataModule, split: str, pick: Pick) -> Shown:
    dataset, names = data.dataset(split), data.label_set.names
    original = dataset.read(pick.index)
    planes = torch.from_numpy(np.ascontiguousarray(original.transpose(2, 0, 1)))
    lines = [f"class: {names[int(dataset.labels[pick.index])]}"]
    box = None
    if isinstance(dataset.transform, ClassifierTrainTransform):
        planes, applied = dataset.transform.explain(planes, seed=pick.seed)
        lines += tell_applied(applied)
        crop = dict(applied).get("RandomResizedCrop")
        if crop is not None:
            height, width = original.shape[:2]
            top, left = crop["top"] / height, crop["left"] / width
            box = top, left, top + crop["height"] / height, left + crop["width"] / width
    elif dataset.transform is not None:
        planes = dataset.transform(planes, seed=pick.seed)
    image = planes.permute(1, 2, 0).numpy()
    path = _short(dataset.where(pick.index), data.root)
    return Shown(path=path, lines=lines, original=original, box=box, image=image)
