"""`foveate data`: looks at data sets, imports exports, proposes classes, decodes once, makes scenes and shards."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Literal

from foveate.datasets.errors import DataConfigError, DataError
from foveate.datasets.progress import bars
from foveate.datasets.text import Size, to_size
from foveate.pipeline.commands.check import check
from foveate.pipeline.commands.doubt import doubt
from foveate.pipeline.commands.stats import stats
from foveate.pipeline.commands.view import view
from foveate.pipeline.files import write_text
from foveate.plugins.selection import split_names

SHOWN = 20  # faults
Background = Literal["background", "ignore"]
Placing = Literal["link", "copy"]
AUTO = "auto"
Flags = Sequence[str]  # the recipe's flags in a command line, which `run_function` sets apart
HINT = "Values (or colours) under `ignore` neither train nor score; two values for one class: values: [1, 2]."


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
    with bars() as progress:
        told = partial(progress, "scenes")
        try:
            write_scenes(folder, train=train, val=val, height=height, width=width, seed=seed, progress=told)
        except ValueError as error:
            raise DataConfigError(str(error)) from error
        except OSError as error:
            raise DataError(f"{root}: cannot be written: {error}") from error
    print(f"{train} training and {val} validation scenes of {height} x {width} in {root}")


def classes(target: str, write: bool = False, dataset: str = "folder", flags: Flags = ()) -> None:
    """Propose the classes of a folder of masks from what the masks hold, as a classes.yaml to edit.

    Example: foveate data classes mydata --write

    Args:
        target: The data set's folder.
        write: Write classes.yaml into the folder; without it, the proposal is printed.
        dataset: Which data set it is; folders of images and masks.
        flags: Not given by name: the data set's options as in a training, --data.KEY VALUE.
    """
    from foveate.datasets.class_file import FILE_NAME, dump_class_table, write_class_table
    from foveate.datasets.mask_classes import MaskClassesDataModule
    from foveate.pipeline.commands.open_data import open_named

    data = open_named(target, dataset, {}, flags)
    if not isinstance(data, MaskClassesDataModule):
        raise DataConfigError(f"the classes of {dataset} are known; they are proposed for --dataset folder only")
    proposal = data.propose()
    for line in proposal.lines:
        print(line)
    if not write:
        print(f"\n{dump_class_table(proposal.table)}", end="")
        return
    path = data.existing_root() / FILE_NAME
    if path.exists():
        raise DataConfigError(f"{path} exists; remove it first, or edit it")
    write_class_table(path, proposal.table, heading="Proposed from the masks: give each class its name.\n" + HINT)
    print(f"{path} written: give each class its name")


def pack(
    target: str,
    dataset: str = AUTO,
    cache_dir: str | None = None,
    labels: str | None = None,
    ignore: int | list[int] | None = None,
    flags: Flags = (),
) -> None:
    """Decode the train and val images of a data set once, for --data.cache packed. An interrupted run is continued.

    What is packed already is checked, and packed again if it is damaged.

    Example: foveate data pack ~/cityscapes

    Args:
        target: The data set's folder, or a recipe.
        dataset: Which data set it is; auto finds it by the folders. Only images with label maps are packed.
        cache_dir: Folder to write to; .foveate in the root if not given. Give the same as --data.cache_dir.
        labels: Which label files of Cityscapes to read. Give the same as --data.labels.
        ignore: Ids in the label files that are ignored. Give the same as --data.ignore.
        flags: Not given by name: the data set's options as in a training, --data.KEY VALUE.
    """
    from foveate.datasets.packed.folder import repack_damaged
    from foveate.datasets.segmentation import SegmentationDataModule
    from foveate.pipeline.commands.open_data import open_named

    data = open_named(target, dataset, {"labels": labels, "ignore": ignore, "cache_dir": cache_dir}, flags)
    if not isinstance(data, SegmentationDataModule):
        raise DataConfigError(
            f"{target} has class folders: only images with label maps are packed; for many images: foveate data shard"
        )
    for split in ("train", "val"):
        pairs = data.pairs_of(split)
        packed = data.pack(split, pairs)
        repaired = repack_damaged(packed, pairs, split)
        again = f", {repaired} of them packed again since they were damaged" if repaired else ""
        print(f"{split}: {len(pairs)} images in {packed.folder}{again}")


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
    with bars() as progress:
        try:
            counts = write_shards(
                Path(source).expanduser(), Path(out).expanduser(), shard_bytes=size_mb * 1_000_000, progress=progress
            )
        except OSError as error:
            raise DataError(f"{out}: cannot be written: {error}") from error
    print(f"{', '.join(f'{count} {split}' for split, count in counts.items())} images in shards in {out}")


def import_(
    source: str,
    out: str,
    format: str = "auto",
    images: str | None = None,
    background: Background = "background",
    classes: str | None = None,
    copy: Placing = "link",
) -> None:
    """Turn what an annotation tool exported into images/, masks/ and classes.yaml. An interrupted run is continued.

    Reads COCO, labelme, YOLO, Pascal VOC, CVAT, Label Studio, Supervisely, VIA, Roboflow and Cityscapes polygons.

    Example: foveate data import ~/annotations.json data/mine --images ~/photos

    Args:
        source: The file or the unpacked folder that the tool exported.
        out: Folder to write to: new, or of an interrupted import.
        format: auto finds it by the files; else cityscapes, coco, coco-panoptic, cvat, label-studio, labelme, roboflow,
            supervisely, via, voc or yolo.
        images: Folder with the images, if they do not lie beside the annotations.
        background: Whether pixels in no region are the class background, value 0, or are ignored, value 255.
        classes: The classes to draw, in this order, such as road,car; all if not given.
        copy: Whether images become hard links, which need no space (copies across file systems), or copies.
    """
    from foveate.datasets.annotations.importing import import_set
    from foveate.datasets.annotations.reading import read_annotations
    from foveate.datasets.annotations.report import describe_import, describe_set

    folder, target = Path(source).expanduser(), Path(out).expanduser()
    found = read_annotations(folder, format, Path(images).expanduser() if images is not None else None)
    print(describe_set(found, folder), flush=True)
    _refuse_faults(found.faults, target.with_name(f"{target.name}.faults.txt"))
    wanted = split_names(classes) if classes is not None else None
    with bars() as progress:
        try:
            imported = import_set(
                found, folder, target, background=background, classes=wanted, placing=copy, progress=progress
            )
        except OSError as error:
            raise DataError(f"{out}: cannot be written: {error}") from error
    for line in describe_import(imported, target):
        print(line)


def _refuse_faults(faults: Sequence[str], listing: Path) -> None:
    """Print the first faults, write all to a file if there are more, and raise an error, if there are any."""
    for line in faults[:SHOWN]:
        print(line)
    if len(faults) > SHOWN:
        write_text(listing, "".join(f"{fault}\n" for fault in faults))
        print(f"... and {len(faults) - SHOWN} more (all in {listing})")
    if faults:
        raise DataError(f"{len(faults)} faults, listed above")


COMMANDS = {
    "check": check,
    "stats": stats,
    "view": view,
    "doubt": doubt,
    "classes": classes,
    "import": import_,
    "pack": pack,
    "make": make,
    "shard": shard,
}
