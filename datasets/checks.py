"""Reads a whole data set once, before hours of training depend on it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from foveate.datasets.errors import DataError
from foveate.datasets.image_folder import FolderDataset, ImageFolderDataModule
from foveate.datasets.labelled_pairs import SegmentationDataset
from foveate.datasets.labels import IGNORE
from foveate.datasets.segmentation import SegmentationDataModule
from foveate.datasets.text import few

Progress = Callable[[str, int, int], None]  # split, samples read, samples in all


@dataclass
class Findings:
    """What a check found.

    Attributes:
        shares: A line for each split: how often each class occurs.
        faults: A line for each fault.
    """

    shares: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


def check_pairs(data: SegmentationDataModule, progress: Progress) -> Findings:
    """Decode every image and label map of the train and val split.

    Args:
        data: The data set.
        progress: Told the split, the pairs that were read and their total.
    """
    found = Findings()
    for split in ("train", "val"):
        try:
            pairs = data.find_pairs(split)
        except DataError as error:
            found.faults.append(str(error))
            continue
        counts = np.zeros(256, dtype=np.int64)
        dataset = SegmentationDataset(pairs, data.reader())
        for index in range(len(dataset)):
            found.faults += _check_pair(dataset, index, counts)
            progress(split, index + 1, len(dataset))
        found.shares.append(_class_shares(split, counts, data.label_set.names))
    return found


def _check_pair(dataset: SegmentationDataset, index: int, counts: np.ndarray) -> list[str]:
    try:
        _, mask = dataset.read(index)
    except DataError as error:
        return [str(error)]
    found = np.bincount(mask.ravel(), minlength=256)
    counts += found
    return [] if found[:IGNORE].any() else [f"{dataset.pairs[index].label}: every pixel is ignored"]


def _class_shares(split: str, counts: np.ndarray, names: tuple[str, ...]) -> str:
    labelled = max(1, int(counts[:IGNORE].sum()))
    shares = [f"{name} {100 * counts[number] / labelled:.2f} %" for number, name in enumerate(names)]
    return f"{split}: {', '.join(shares)}; ignored {100 * counts[IGNORE] / max(1, counts.sum()):.1f} % of all pixels"


def check_images(root: Path, progress: Progress) -> Findings:
    """Decode every image in the class folders of train/, val/ and test/, and look for files that two splits share.

    Args:
        root: The data set's folder.
        progress: Told the split, the images that were read and their total.
    """
    data = ImageFolderDataModule(str(root))
    found = Findings()
    seen: dict[bytes, str] = {}
    for split in ("train", "val", *(["test"] if (root / "test").is_dir() else [])):
        try:
            dataset = data.find_images(split)
        except DataError as error:
            found.faults.append(str(error))
            continue
        for index in range(len(dataset)):
            found.faults += _check_image(dataset, index, split, seen)
            progress(split, index + 1, len(dataset))
        found.shares.append(_class_counts(split, dataset))
    return found


def _check_image(dataset: FolderDataset, index: int, split: str, seen: dict[bytes, str]) -> list[str]:
    """Whether an image can be read, and is in no split before."""
    try:
        dataset.read(index)
        content = hashlib.blake2b(dataset.path(index).read_bytes(), digest_size=16).digest()
    except (DataError, OSError) as error:
        return [str(error)]
    first = seen.setdefault(content, split)
    return [f"{dataset.path(index)}: the same file is in {first}"] if first != split else []


def _class_counts(split: str, dataset: FolderDataset) -> str:
    counts = np.bincount(dataset.labels, minlength=len(dataset.classes))
    shown = few([f"{name} {count}" for name, count in zip(dataset.classes, counts, strict=True)])
    return f"{split}: {len(dataset)} images of {np.count_nonzero(counts)} classes; {shown}"
