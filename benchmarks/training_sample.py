"""Table row: one training sample of Cityscapes' size, from files to bytes that can be stacked."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch

from foveate.benchmarks.pairing import Candidate, alternate
from foveate.benchmarks.peers import mmseg
from foveate.benchmarks.results import Goal, Result, Settings
from foveate.datasets.batch import Pick
from foveate.datasets.cityscapes import CityscapesDataModule
from foveate.datasets.labels import CITYSCAPES

CROP, IMAGES = (1024, 1024), 4
ROW = "training sample, Cityscapes size"


def run(settings: Settings) -> Result:
    """mmseg's shipped pipeline, our data set on the same PNG files, and on packed ones."""
    import cv2

    torch.set_num_threads(settings.threads)
    cv2.setNumThreads(settings.threads)
    root = make_scenes(settings.out / "cityscapes")
    ours, peer = our_samples(root, cache="none"), peer_samples(root)
    candidates: dict[str, Candidate] = {"mmseg": peer, "ours, PNG": ours}
    goals, remarks = [Goal(f"{ROW}, PNG", "mmseg", "ours, PNG", 1.5)], []
    try:
        candidates["ours, packed"] = our_samples(root, cache="packed")
    except TypeError as error:
        remarks.append(f"packed not available: {error}")
    else:
        goals.append(Goal(f"{ROW}, packed", "mmseg", "ours, packed", 5.0))
    check(root)
    seconds = alternate(candidates, rounds=settings.times(60), warmup=IMAGES)
    sizes = [path.stat().st_size for path in root.glob("leftImg8bit/train/*/*.png")]
    what = (
        f"Drawn scenes of 1024 x 2048 as PNG pairs ({sum(sizes) / len(sizes) / 2**20:.1f} MiB an image), {IMAGES} of "
        "them by turns, their files in the page cache; "
        f"resize by 0.5-2, crop of {CROP[0]} x {CROP[1]}, flip, photometric distortion. mmseg: the pipeline of its "
        "cityscapes_1024x1024 configuration. Labels: trained ids for mmseg, which reads those, labelIds for ours. "
        "Each draws its own chances, so rounds differ: compare medians."
    )
    return Result("training_sample", "Training sample", what, seconds, goals, remarks=remarks)


def make_scenes(root: Path) -> Path:
    """Scenes in Cityscapes' layout, with files of train ids beside the labelIds; made once."""
    from foveate.datasets.synthetic import write_scenes

    if not (root / "done").is_file():
        write_scenes(root, train=IMAGES, val=1, height=1024, width=2048)
        for path in sorted(root.glob("gtFine/train/*/*_labelIds.png")):
            write_train_ids(path)
        (root / "done").touch()
    return root


def write_train_ids(path: Path) -> None:
    """What the official script makes of a file of labelIds."""
    from PIL import Image

    from foveate.datasets.masks.values import read_label

    train_ids = read_label(path, CITYSCAPES.to_train_ids())
    Image.fromarray(train_ids).save(path.with_name(path.name.replace("labelIds", "labelTrainIds")))


def our_samples(root: Path, *, cache: str) -> Callable[[], object]:
    """The next sample, as a worker of the loader makes it.

    Raises:
        TypeError: The data module knows no such cache.
    """
    options = {} if cache == "none" else {"cache": cache}
    data = CityscapesDataModule(str(root), crop=CROP, batch_size=1, num_workers=0, **options)
    data.setup("fit")
    dataset = data._datasets["train"]
    turns = iter(range(10**9))

    def following() -> object:
        turn = next(turns)
        return dataset[Pick(turn % IMAGES, seed=turn)]

    return following


def peer_samples(root: Path) -> Callable[[], object]:
    """The next sample of mmseg's pipeline."""
    pipeline = mmseg.create_pipeline(CROP)
    images = sorted(root.glob("leftImg8bit/train/*/*.png"))
    labels = sorted(root.glob("gtFine/train/*/*_labelTrainIds.png"))
    turns = iter(range(10**9))

    def following() -> object:
        turn = next(turns) % IMAGES
        return pipeline(mmseg.sample_of(images[turn], labels[turn]))

    return following


def check(root: Path) -> None:
    """Both give bytes of the crop's size, and read the same files alike."""
    mmseg.seeded(0)
    theirs = peer_samples(root)()
    ours = our_samples(root, cache="none")()
    assert isinstance(theirs, dict)
    assert isinstance(ours, dict)
    assert theirs["inputs"].shape == ours["image"].shape == (3, *CROP)
    assert theirs["inputs"].dtype == ours["image"].dtype == torch.uint8
    assert tuple(theirs["data_samples"].gt_sem_seg.data.shape[1:]) == tuple(ours["mask"].shape) == CROP
