"""Scaling over the size of a data set: from nothing to the first batch, with more and more files."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from foveate.benchmarks.pairing import Candidate, alternate
from foveate.benchmarks.peers import mmseg
from foveate.benchmarks.results import Goal, Result, Settings
from foveate.datasets.camvid import CamVidDataModule

COUNTS = (100, 10_000, 100_000)
LINKS = 10_000  # names of one file; file systems allow some 65 000


def run(settings: Settings) -> Result:
    """Pairs in CamVid's layout, ours and mmseg's in turn."""
    figures: dict[str, list[float]] = {}
    goals = []
    with tempfile.TemporaryDirectory(dir=made(settings.out)) as folder:
        for count in COUNTS:
            root = make_files(Path(folder) / str(count), count)
            candidates: dict[str, Candidate] = {f"mmseg, {count} pairs": peer(root), f"ours, {count} pairs": ours(root)}
            figures |= alternate(candidates, rounds=settings.times(3), warmup=1)
            goals.append(Goal(f"first batch of {count} pairs", *candidates))
            shutil.rmtree(root)
    what = (
        "Listing and pairing the files, checking that none is alone, drawing the order, and reading the first batch "
        "of 4 small images, without workers. mmseg: its data set lists images, and reads 4; it checks no pairs."
    )
    return Result("listing", "Scaling: files", what, figures, goals)


def made(folder: Path) -> Path:
    """The folder, which is there from now on."""
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def make_files(root: Path, count: int) -> Path:
    """So many pairs, most of them further names of a few files."""
    for folder, pixels in {
        "train": np.zeros((64, 64, 3), np.uint8),
        "trainannot": np.zeros((64, 64), np.uint8),
    }.items():
        (root / folder).mkdir(parents=True)
        for index in range(count):
            path = root / folder / f"{index:06d}.png"
            if index % LINKS == 0:
                first = path
                Image.fromarray(pixels).save(path)
            else:
                os.link(first, path)
    for folder in ("val", "valannot"):
        shutil.copytree(root / folder.replace("val", "train"), root / folder, ignore=all_but_first)
    return root


def all_but_first(_: str, names: list[str]) -> list[str]:
    """What is left out of a copy."""
    return sorted(names)[1:]


def ours(root: Path) -> Callable[[], object]:
    """A data module from nothing to its first batch."""

    def first_batch() -> object:
        data = CamVidDataModule(str(root), crop=(64, 64), batch_size=4, num_workers=0)
        data.setup("fit")
        return next(iter(data.train_dataloader()))

    return first_batch


def peer(root: Path) -> Callable[[], object]:
    """mmseg's data set from nothing to four samples."""
    mmseg.prepared()
    from mmseg.datasets import BaseSegDataset

    steps = [{"type": "LoadImageFromFile"}, {"type": "LoadAnnotations"}, {"type": "PackSegInputs"}]

    def first_samples() -> object:
        dataset = BaseSegDataset(
            data_root=str(root),
            data_prefix={"img_path": "train", "seg_map_path": "trainannot"},
            img_suffix=".png",
            metainfo={"classes": ("a", "b"), "palette": [[0, 0, 0], [1, 1, 1]]},
            pipeline=steps,
        )
        return [dataset[index] for index in range(4)]

    return first_samples
