"""Reads a whole data set once, before hours of training depend on it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from rich.progress import track

from foveate.datasets.camvid import CamVidDataModule
from foveate.datasets.cityscapes import CityscapesDataModule
from foveate.datasets.errors import DataError
from foveate.datasets.labels import IGNORE
from foveate.datasets.segmentation import SegmentationDataModule, SegmentationDataset

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
    for fault in faults[:SHOWN]:
        print(fault)
    if len(faults) > SHOWN:
        print(f"... and {len(faults) - SHOWN} more")
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
