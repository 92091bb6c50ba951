"""Table rows: `data check` against plain decoding of the same files by as many threads, and what `fit` looks at."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from foveate.benchmarks.pairing import Candidate, alternate
from foveate.benchmarks.results import Goal, Result, Settings
from foveate.datasets.camvid import CamVidDataModule
from foveate.datasets.doctor.doctor import diagnose
from foveate.datasets.doctor.preflight import look_before_training
from foveate.datasets.doctor.similar import near_pairs
from foveate.datasets.threads import in_threads

SIZES = {"360 x 480": (360, 480, 1500), "1024 x 2048": (1024, 2048, 300)}  # height, width, train images
THUMBS = 100_000


def run(settings: Settings) -> Result:
    """A check of made pairs, decoding of the same, and what `fit` looks at."""
    candidates: dict[str, Candidate] = {}
    goals = []
    for name, (height, width, count) in SIZES.items():
        root = make_pairs(settings.out / f"checking{height}", height, width, count)
        candidates |= {f"{name}, decoding": decoding(root), f"{name}, check": checking(root)}
        candidates[f"{name}, before a training"] = preflight(root)
        goals.append(Goal(f"data check, {name}", f"{name}, decoding", f"{name}, check"))
    candidates[f"near duplicates among {THUMBS}"] = duplicates()
    seconds = alternate(candidates, rounds=settings.times(5), warmup=1)
    what = (
        "Made JPEG images with PNG label maps, their files in the page cache. Decoding: every image and label map, by "
        "a thread for each core. Check: foveate data check without its page, from listing to findings. Ratios are "
        "decoding over check."
    )
    return Result("checking", "Checking data", what, seconds, goals)


def make_pairs(root: Path, height: int, width: int, count: int) -> Path:
    """Smooth images with noise in CamVid's layout, and label maps of blocks; made once."""
    random = np.random.default_rng(0)
    for split, images in (("train", count), ("val", max(2, count // 10))):
        for folder in (root / split, root / f"{split}annot"):
            folder.mkdir(parents=True, exist_ok=True)
        for number in range(images):
            file = root / split / f"{number:04d}.jpg"
            if file.is_file():
                continue
            coarse = Image.fromarray(random.integers(0, 256, (12, 16, 3), dtype=np.uint8)).resize((width, height))
            noisy = np.asarray(coarse).astype(np.int16) + random.integers(-12, 13, (height, width, 3))
            Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(file, quality=92)
            blocks = Image.fromarray(random.integers(0, 11, (9, 12), dtype=np.uint8))
            mask = blocks.resize((width, height), Image.Resampling.NEAREST)
            mask.save(root / f"{split}annot" / f"{number:04d}.png")
    return root


def decoding(root: Path) -> Callable[[], object]:
    """Every image and label map, decoded."""
    data = CamVidDataModule(str(root), num_workers=0)
    pairs = [pair for split in ("train", "val") for pair in data.pairs_of(split)]
    reader = data.reader()

    def decode() -> object:
        return sum(1 for _ in in_threads(lambda pair: reader.read(pair)[1].shape, pairs))

    return decode


def checking(root: Path) -> Callable[[], object]:
    """Everything that `data check` finds out."""
    return lambda: diagnose(CamVidDataModule(str(root), num_workers=0))


def preflight(root: Path) -> Callable[[], object]:
    """What `fit` adds: the files are listed already."""
    data = CamVidDataModule(str(root), num_workers=0)
    data.setup("fit")
    return lambda: look_before_training(data)


def duplicates() -> Callable[[], object]:
    """The search for images that look alike."""
    thumbs = np.random.default_rng(0).integers(0, 256, (THUMBS, 16, 16), dtype=np.uint8)
    return lambda: near_pairs(thumbs)
