"""`foveate data`: make synthetic scenes, check what is on disk, decode it once, put it into shards."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from foveate.datasets.errors import DataConfigError, DataError
from foveate.datasets.layouts import LabelFiles, Layout, LayoutOption, settle_layout
from foveate.datasets.text import Size, to_size

SHOWN = 20  # faults
MODULES = {  # of a layout with label maps
    "camvid": ("camvid", "CamVidDataModule"),
    "ade20k": ("ade20k", "ADE20KDataModule"),
    "voc2012": ("voc2012", "VOC2012DataModule"),
    "coco_stuff164k": ("coco_stuff164k", "COCOStuff164kDataModule"),
    "loveda": ("loveda", "LoveDADataModule"),
    "potsdam": ("potsdam", "PotsdamDataModule"),
}


def make(root: str, train: int = 64, val: int = 16, size: Size = "256x512", seed: int = 0) -> None:
    """Make synthetic street scenes in Cityscapes' layout. An interrupted run is continued.

    Example: foveate data make data/scenes --train 64 --val 16 --size 256x512

    Args:
        root: Folder to write to.
        train: Number of training scenes.
        val: Number of validation scenes.
        size: Height x width of each.
        seed: Another seed gives other scenes.
    """
    from foveate.datasets.synthetic import write_scenes

    height, width = to_size(size, "size")
    if train < 0 or val < 0 or seed < 0:
        raise DataConfigError(f"train, val and seed are at least 0, not {train}, {val} and {seed}")
    folder = Path(root).expanduser()
    with _bars() as progress:
        told = partial(progress, "scenes")
        try:
            write_scenes(folder, train=train, val=val, height=height, width=width, seed=seed, progress=told)
        except ValueError as error:
            raise DataConfigError(str(error)) from error
        except OSError as error:
            raise DataError(f"{root}: cannot be written: {error}") from error
    print(f"{train} training and {val} validation scenes of {height} x {width} in {root}")


def check(
    root: str,
    dataset: LayoutOption = "auto",
    labels: LabelFiles = "labelIds",
    ignore: int | list[int] | None = None,
) -> None:
    """Read every image of a data set, with its label map or class, and list all that is wrong with it.

    Example: foveate data check ~/cityscapes

    Args:
        root: The data set's folder.
        dataset: Which layout it has; auto finds it by the folders. image_folder is train/CLASS/*.jpg and
            val/CLASS/*.jpg.
        labels: Which label files of Cityscapes to read, as --data.labels says in a training.
        ignore: Ids in the label files that are ignored, as --data.ignore says in a training.
    """
    from foveate.datasets.checks import check_images, check_pairs

    folder = Path(root).expanduser()
    layout = settle_layout(folder, dataset)
    if dataset == "auto":
        print(f"{root} has the layout of {layout}", flush=True)
    with _bars() as progress:
        if layout == "image_folder":
            found = check_images(folder, progress)
        else:
            found = check_pairs(_segmentation_data(layout, folder, labels=labels, ignore=ignore), progress)
    for line in [*found.shares, *found.faults[:SHOWN]]:
        print(line)
    if len(found.faults) > SHOWN:
        print(f"... and {len(found.faults) - SHOWN} more")
    if found.faults:
        raise DataError(f"{len(found.faults)} faults, listed above")
    print("no fault found")


def pack(
    root: str,
    dataset: LayoutOption = "auto",
    cache_dir: str | None = None,
    labels: LabelFiles = "labelIds",
    ignore: int | list[int] | None = None,
) -> None:
    """Decode the train and val images of a data set once, for --data.cache packed. An interrupted run is continued.

    What is packed already is checked, and packed again if it is damaged.

    Example: foveate data pack ~/cityscapes

    Args:
        root: The data set's folder.
        dataset: Which layout it has; auto finds it by the folders. Only images with label maps are packed.
        cache_dir: Folder to write to; .foveate in the root if not given. Give the same as --data.cache_dir.
        labels: Which label files of Cityscapes to read. Give the same as --data.labels.
        ignore: Ids in the label files that are ignored. Give the same as --data.ignore.
    """
    from foveate.datasets.packed.folder import repack_damaged

    folder = Path(root).expanduser()
    layout = settle_layout(folder, dataset)
    if layout == "image_folder":
        raise DataConfigError(
            f"{root} has class folders: only images with label maps are packed; for many images: foveate data shard"
        )
    data = _segmentation_data(layout, folder, labels=labels, ignore=ignore, cache_dir=cache_dir)
    for split in ("train", "val"):
        pairs = data.find_pairs(split)
        packed = data.pack(split, pairs)
        repaired = repack_damaged(packed, pairs, split)
        again = f", {repaired} of them packed again since they were damaged" if repaired else ""
        print(f"{split}: {len(pairs)} images in {packed.folder}{again}")


def _segmentation_data(
    layout: Layout,
    root: Path,
    *,
    labels: LabelFiles,
    ignore: int | list[int] | None,
    cache_dir: str | None = None,
) -> Any:
    """The data module of a layout with label maps, whose type stands in modules that take seconds to import."""
    if layout == "cityscapes":
        from foveate.datasets.cityscapes import CityscapesDataModule

        return CityscapesDataModule(str(root), labels=labels, ignore=ignore, cache_dir=cache_dir)
    if labels != "labelIds":
        raise DataConfigError(f"labels {labels} is for Cityscapes; {layout} has one kind of label files")
    module, name = MODULES[layout]
    build = getattr(importlib.import_module(f"foveate.datasets.{module}"), name)
    return build(str(root), ignore=ignore, cache_dir=cache_dir)


def shard(source: str, out: str, size_mb: int = 64) -> None:
    """Pack folders of images into shards that can be streamed. An interrupted run is continued.

    Example: foveate data shard ~/imagenet ~/imagenet-shards

    Args:
        source: Folder with train/CLASS/*.jpg and val/CLASS/*.jpg, or one split of it.
        out: Folder to write to: empty, or of an interrupted run.
        size_mb: Size of a shard in megabytes (10^6 bytes).
    """
    from foveate.datasets.shards.writing import write_shards

    if not 0 < size_mb <= 4000:
        raise DataConfigError(f"a shard has 1 to 4000 megabytes, not {size_mb}")
    with _bars() as progress:
        try:
            counts = write_shards(
                Path(source).expanduser(), Path(out).expanduser(), shard_bytes=size_mb * 1_000_000, progress=progress
            )
        except OSError as error:
            raise DataError(f"{out}: cannot be written: {error}") from error
    print(f"{', '.join(f'{count} {split}' for split, count in counts.items())} images in shards in {out}")


@contextmanager
def _bars() -> Iterator[Callable[[str, int, int], None]]:
    """A progress bar for each split; they disappear at the end."""
    from rich.progress import Progress, TaskID

    tasks: dict[str, TaskID] = {}
    with Progress(transient=True) as bars:

        def advance(split: str, done: int, total: int) -> None:
            if split not in tasks:
                tasks[split] = bars.add_task(split, total=total)
            bars.update(tasks[split], completed=done)

        yield advance


COMMANDS = {"make": make, "check": check, "pack": pack, "shard": shard}
