"""Table row: one training sample of images with several bands of 16 bits, from TIFF files and from the packed form."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from foveate.benchmarks.pairing import Candidate, alternate
from foveate.benchmarks.results import Goal, Result, Settings
from foveate.datasets.batch import Pick
from foveate.datasets.camvid import CamVidDataModule

SIDE, CROP, IMAGES = 1024, (512, 512), 4
BANDS = (4, 8)  # OpenCV reads the former, tifffile the latter
HIGHEST = 4000  # of the values, as of a 12-bit sensor


def run(settings: Settings) -> Result:
    """Our data set on TIFF files and on packed ones, for each number of bands."""
    import cv2

    torch.set_num_threads(settings.threads)
    cv2.setNumThreads(settings.threads)
    candidates: dict[str, Candidate] = {}
    goals = []
    for bands in BANDS:
        root = make_images(settings.out / f"bands{bands}", bands)
        for cache, name in (("none", "TIFF"), ("packed", "packed")):
            candidates[f"{bands} bands, {name}"] = samples(root, bands, cache)
        row = f"training sample, {bands} bands of 16 bits"
        goals.append(Goal(row, f"{bands} bands, TIFF", f"{bands} bands, packed", 3.0))
    seconds = alternate(candidates, rounds=settings.times(60), warmup=IMAGES)
    what = (
        f"Made images of {SIDE} x {SIDE}, uint16 up to {HIGHEST}, TIFF with deflate and predictor, {IMAGES} of them by "
        f"turns, their files in the page cache; resize by 0.5-2, crop of {CROP[0]} x {CROP[1]}, flip, brightness and "
        "contrast. Files are decoded and mapped to bytes for each sample; the packed form holds bytes."
    )
    return Result("bands", "Several bands", what, seconds, goals)


def make_images(root: Path, bands: int) -> Path:
    """Smooth images with noise in CamVid's layout, and masks of blocks; made once."""
    import tifffile
    from PIL import Image

    random = np.random.default_rng(0)
    for split in ("train", "val"):
        for folder in (root / split, root / f"{split}annot"):
            folder.mkdir(parents=True, exist_ok=True)
        for number in range(IMAGES):
            file = root / split / f"{number}.tif"
            if file.is_file():
                continue
            mask = np.kron(random.integers(0, 11, (16, 16)), np.ones((SIDE // 16, SIDE // 16))).astype(np.uint8)
            slope = np.linspace(0, HIGHEST - 200, SIDE)[:, None, None]
            values = (slope + random.integers(0, 200, (SIDE, SIDE, bands))).astype(np.uint16)
            extra = ["unspecified"] * (bands - 3)
            Image.fromarray(mask).save(root / f"{split}annot" / f"{number}.png")
            tifffile.imwrite(file, values, photometric="rgb", extrasamples=extra, compression="deflate", predictor=True)
    return root


def samples(root: Path, bands: int, cache: str) -> Callable[[], object]:
    """The next sample, as a worker of the loader makes it."""
    data = CamVidDataModule(str(root), crop=CROP, batch_size=1, num_workers=0, cache=cache)  # type: ignore[arg-type]
    data.setup("fit")
    dataset = data._datasets["train"]
    assert data.in_channels == bands
    turns = iter(range(10**9))

    def following() -> object:
        turn = next(turns)
        return dataset[Pick(turn % IMAGES, seed=turn)]

    return following
