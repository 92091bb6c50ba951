"""`foveate data`: the commands of data sets; those that propose classes and make scenes are here."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from foveate.datasets.errors import DataConfigError, DataError
from foveate.datasets.progress import bars
from foveate.datasets.text import Size, to_size
from foveate.pipeline.answering import answer
from foveate.pipeline.commands.check import check
from foveate.pipeline.commands.doubt import doubt
from foveate.pipeline.commands.import_data import import_
from foveate.pipeline.commands.packing import pack, shard
from foveate.pipeline.commands.stats import stats
from foveate.pipeline.commands.view import view

Figures = dict[str, Any]
Flags = Sequence[str]  # the recipe's flags in a command line, which `run_function` sets apart
HINT = "Values (or colours) under `ignore` neither train nor score; two values for one class: values: [1, 2]."


def make(
    root: str, train: int = 64, val: int = 16, size: Size = "256x512", seed: int = 0, json: str | None = None
) -> None:
    """Make synthetic street scenes in Cityscapes' layout. An interrupted run is continued.

    Example: foveate data make data/scenes --train 64 --val 16 --size 256x512

    Args:
        root: Folder to write to.
        train: Number of training scenes.
        val: Number of validation scenes.
        size: Height x width of each.
        seed: Another seed gives other scenes.
        json: File for what was made, or - for standard output, also without a value.
    """
    height, width = to_size(size, "size")
    if train < 0 or val < 0 or seed < 0:
        raise DataConfigError(f"train, val and seed are at least 0, not {train}, {val} and {seed}")

    def write() -> Figures:
        _make(Path(root).expanduser(), train, val, height, width, seed)
        print(f"{train} training and {val} validation scenes of {height} x {width} in {root}")
        return {"folder": root, "train": train, "val": val, "size": [height, width], "seed": seed}

    answer(json, write)


def _make(folder: Path, train: int, val: int, height: int, width: int, seed: int) -> None:
    from foveate.datasets.synthetic import write_scenes

    with bars() as progress:
        told = partial(progress, "scenes")
        try:
            write_scenes(folder, train=train, val=val, height=height, width=width, seed=seed, progress=told)
        except ValueError as error:
            raise DataConfigError(str(error)) from error
        except OSError as error:
            raise DataError(f"{folder}: cannot be written: {error}") from error


def classes(
    target: str, write: bool = False, dataset: str = "folder", json: str | None = None, flags: Flags = ()
) -> None:
    """Propose the classes of a folder of masks from what the masks hold, as a classes.yaml to edit.

    Example: foveate data classes mydata --write

    Args:
        target: The data set's folder.
        write: Write classes.yaml into the folder; without it, the proposal is printed.
        dataset: Which data set it is; folders of images and masks.
        json: File for the proposal, or - for standard output, also without a value.
        flags: Not given by name: the data set's options as in a training, --data.KEY VALUE.
    """
    answer(json, lambda: _propose(target, dataset, flags, write=write))


def _propose(target: str, dataset: str, flags: Flags, *, write: bool) -> Figures:
    from foveate.datasets.class_file import FILE_NAME, as_mapping, dump_class_table, write_class_table
    from foveate.datasets.mask_classes import MaskClassesDataModule
    from foveate.pipeline.commands.open_data import open_named

    data = open_named(target, dataset, {}, flags)
    if not isinstance(data, MaskClassesDataModule):
        raise DataConfigError(f"the classes of {dataset} are known; they are proposed for --dataset folder only")
    proposal = data.propose()
    for line in proposal.lines:
        print(line)
    figures = {"proposal": as_mapping(proposal.table), "found": list(proposal.lines)}
    if not write:
        print(f"\n{dump_class_table(proposal.table)}", end="")
        return {**figures, "file": None}
    path = data.existing_root() / FILE_NAME
    if path.exists():
        raise DataConfigError(f"{path} exists; remove it first, or edit it")
    write_class_table(path, proposal.table, heading="Proposed from the masks: give each class its name.\n" + HINT)
    print(f"{path} written: give each class its name")
    return {**figures, "file": str(path)}


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
