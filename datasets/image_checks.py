"""Reads every image of a classification data set once, before hours of training depend on it."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
from rich.progress import track

from foveate.datasets.errors import DataError
from foveate.datasets.image_folder import FolderDataset, ImageFolderDataModule, few

SHOWN = 20


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
    for fault in faults[:SHOWN]:
        print(fault)
    if len(faults) > SHOWN:
        print(f"... and {len(faults) - SHOWN} more")
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
