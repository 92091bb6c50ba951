"""Reads a whole data set once, before hours of training depend on it."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
from rich.progress import track

from foveate.datasets.camvid import CamVidDataModule
from foveate.datasets.cityscapes import CityscapesDataModule
from foveate.datasets.errors import DataError
from foveate.datasets.image_folder import FolderDataset, ImageFolderDataModule
from foveate.datasets.labels import IGNORE
from foveate.datasets.segmentation import SegmentationDataModule, SegmentationDataset
from foveate.datasets.text import few

KINDS: dict[str, type[SegmentationDataModule]] = {"cityscapes": CityscapesDataModule, "camvid": CamVidDataModule}
SHOWN = 20


def check_data_set(root: Path, kind: str) -> list[str]:
    """Decode every pair of the train and val split; print what is wrong and how often each class occurs.

    Returns:
        A line for each fault.
    """
    data = KINDS[kind](str(root))
    faults: list[str] = []
    for split in ("train", "val"):
        try:
            pairs = data.find_pairs(split)
        except DataError as error:
            faults.append(str(error))
            continue
        counts = np.zeros(256, dtype=np.int64)
        dataset = SegmentationDataset(pairs, data.id_table())
        for index in track(range(len(dataset)), description=split):
            faults += _check_pair(dataset, index, counts)
        _print_shares(split, counts, data.label_set.names)
    _print_faults(faults)
    return faults


def _check_pair(dataset: SegmentationDataset, index: int, counts: np.ndarray) -> list[str]:
    try:
        _, mask = dataset.read(index)
    except DataError as error:
        return [str(error)]
    found = np.bincount(mask.ravel(), minlength=256)
    counts += found
    return [] if found[:IGNORE].any() else [f"{dataset.pairs[index].label}: every pixel is ignored"]


def _print_shares(split: str, counts: np.ndarray, names: tuple[str, ...]) -> None:
    labelled = max(1, int(counts[:IGNORE].sum()))
    shares = [f"{name} {100 * counts[number] / labelled:.2f} %" for number, name in enumerate(names)]
    print(f"{split}: {', '.join(shares)}; ignored {100 * counts[IGNORE] / max(1, counts.sum()):.1f} % of all pixels")


def check_image_folder(root: Path) -> list[str]:
    """Decode every image below train/, val/ and test/; print what is wrong and how many images each class has.

    Returns:
        A line for each fault.
    """
    data = ImageFolderDataModule(str(root))
    faults: list[str] = []
    seen: dict[bytes, str] = {}
    for split in ("train", "val", *(["test"] if (root / "test").is_dir() else [])):
        try:
            dataset = data.find_images(split)
        except DataError as error:
            faults.append(str(error))
            continue
        for index in track(range(len(dataset)), description=split):
            faults += _check_image(dataset, index, split, seen)
        _print_counts(split, dataset)
    _print_faults(faults)
    return faults


def _check_image(dataset: FolderDataset, index: int, split: str, seen: dict[bytes, str]) -> list[str]:
    """Whether an image can be read, and is in no split before."""
    try:
        dataset.read(index)
        content = hashlib.blake2b(dataset.path(index).read_bytes(), digest_size=16).digest()
    except (DataError, OSError) as error:
        return [str(error)]
    first = seen.setdefault(content, split)
    return [f"{dataset.path(index)}: the same file is in {first}"] if first != split else []


def _print_counts(split: str, dataset: FolderDataset) -> None:
    counts = np.bincount(dataset.labels, minlength=len(dataset.classes))
    shown = few([f"{name} {count}" for name, count in zip(dataset.classes, counts, strict=True)])
    print(f"{split}: {len(dataset)} images of {np.count_nonzero(counts)} classes; {shown}")


def _print_faults(faults: list[str]) -> None:
    for fault in faults[:SHOWN]:
        print(fault)
    if len(faults) > SHOWN:
        print(f"... and {len(faults) - SHOWN} more")
