"""`foveate data`: make synthetic scenes, check what is on disk, decode it once, put it into shards."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from foveate.datasets.errors import DataConfigError, DataError
from foveate.datasets.text import parse_size


def make(root: str, train: int = 64, val: int = 16, size: str = "256x512", seed: int = 0) -> None:
    """Make synthetic street scenes in Cityscapes' layout. Goes on where it was interrupted.

    Example: foveate data make data/scenes --train 64 --val 16 --size 256x512

    Args:
        root: Folder to write to.
        train: Number of training scenes.
        val: Number of validation scenes.
        size: Height x width of each.
        seed: Another seed gives other scenes.
    """
    from rich.progress import Progress

    from foveate.datasets.synthetic import write_scenes

    height, width = parse_size(size)
    if train < 0 or val < 0 or seed < 0:
        raise DataConfigError(f"train, val and seed are at least 0, not {train}, {val} and {seed}")
    folder = Path(root).expanduser()
    with Progress(transient=True) as bar:
        task = bar.add_task("scenes", total=train + val)

        def advance(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total)

        try:
            write_scenes(folder, train=train, val=val, height=height, width=width, seed=seed, progress=advance)
        except ValueError as error:
            raise DataConfigError(str(error)) from error
        except OSError as error:
            raise DataError(f"{root}: cannot be written: {error}") from error
    print(f"{train} training and {val} validation scenes of {height} x {width} in {root}")


def check(root: str, dataset: Literal["cityscapes", "camvid", "image_folder"] = "cityscapes") -> None:
    """Read every image of a data set, with its label map or class, and list all that is wrong with it.

    Example: foveate data check ~/cityscapes

    Args:
        root: The data set's folder.
        dataset: Which layout it has; image_folder is train/CLASS/*.jpg and val/CLASS/*.jpg.
    """
    folder = Path(root).expanduser()
    if dataset == "image_folder":
        from foveate.datasets.checks import check_image_folder

        faults = check_image_folder(folder)
    else:
        from foveate.datasets.checks import check_data_set

        faults = check_data_set(folder, dataset)
    if faults:
        raise DataError(f"{len(faults)} faults, listed above")
    print("no fault found")


def pack(root: str, dataset: Literal["cityscapes", "camvid"] = "cityscapes", cache_dir: str | None = None) -> None:
    """Decode the train and val images of a data set once, for --data.cache packed. Goes on where it was interrupted.

    What is packed already is checked, and packed anew if it is damaged.

    Example: foveate data pack ~/cityscapes

    Args:
        root: The data set's folder.
        dataset: Which layout it has.
        cache_dir: Folder to write to; .foveate in the root if not given. Give the same as --data.cache_dir.
    """
    from foveate.datasets.checks import KINDS
    from foveate.datasets.packed.folder import repack_damaged

    data = KINDS[dataset](str(Path(root).expanduser()), cache="packed", cache_dir=cache_dir)
    for split in ("train", "val"):
        pairs = data.find_pairs(split)
        packed = data.pack(split, pairs)
        repaired = repack_damaged(packed, pairs, split)
        again = f", {repaired} of them packed anew for they were damaged" if repaired else ""
        print(f"{split}: {len(pairs)} images in {packed.folder}{again}")


def shard(source: str, out: str, size_mb: int = 64) -> None:
    """Pack folders of images into shards that can be streamed. Goes on where it was interrupted.

    Example: foveate data shard ~/imagenet ~/imagenet-shards

    Args:
        source: Folder with train/CLASS/*.jpg and val/CLASS/*.jpg, or one split of it.
        out: Folder to write to, empty or begun before.
        size_mb: Size of a shard in megabytes (10^6 bytes).
    """
    from rich.progress import Progress, TaskID

    from foveate.datasets.shards.writing import write_shards

    if not 0 < size_mb <= 4000:
        raise DataConfigError(f"a shard has 1 to 4000 megabytes, not {size_mb}")
    tasks: dict[str, TaskID] = {}
    with Progress(transient=True) as bar:

        def advance(split: str, done: int, total: int) -> None:
            if split not in tasks:
                tasks[split] = bar.add_task(split, total=total)
            bar.update(tasks[split], completed=done)

        try:
            counts = write_shards(
                Path(source).expanduser(), Path(out).expanduser(), shard_bytes=size_mb * 1_000_000, progress=advance
            )
        except OSError as error:
            raise DataError(f"{out}: cannot be written: {error}") from error
    print(f"{', '.join(f'{count} {split}' for split, count in counts.items())} images in shards in {out}")


COMMANDS = {"make": make, "check": check, "pack": pack, "shard": shard}
