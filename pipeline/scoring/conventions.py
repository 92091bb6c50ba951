"""What the numbers in label files and in predictions mean, for each data set that can be scored from files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np

from foveate.datasets.class_file import FILE_NAME, read_class_table
from foveate.datasets.class_lists.ade20k import ADE20K
from foveate.datasets.class_lists.cityscapes import CITYSCAPES_ALL
from foveate.datasets.class_lists.coco_stuff import COCO_STUFF
from foveate.datasets.class_lists.loveda import LOVEDA
from foveate.datasets.class_lists.voc2012 import VOC2012
from foveate.datasets.errors import DataConfigError
from foveate.datasets.labels import CAMVID, CITYSCAPES, IGNORE, INVALID, LabelSet, Table
from foveate.datasets.masks.create import create_mask_reader
from foveate.datasets.masks.reader import MaskReader
from foveate.datasets.masks.values import ValueMasks

Ids = Literal["regular", "train"]
LABEL_SETS = {"ade20k": ADE20K, "voc2012": VOC2012, "camvid": CAMVID, "loveda": LOVEDA, "coco_stuff164k": COCO_STUFF}
CITYSCAPES_NAME, FOLDER = "cityscapes", "folder"
UNLABELED = 0  # Cityscapes' id of pixels without a class


@dataclass(frozen=True, kw_only=True, eq=False)
class Convention:
    """How files become class numbers.

    Attributes:
        labels: The K classes that are counted. For Cityscapes all 34 ids, since a prediction may hold each of them.
        scored: The ids of the classes that have a score.
        truth: Reads label maps: class numbers 0 to K - 1, 255 where ignored.
        predictions: Number in a prediction -> class number; K for no class, 254 for a number that is not accepted.
        ids: What predictions hold: `regular` ids, those of the label files, or `train` ids 0, 1, 2 ...
    """

    labels: LabelSet
    scored: tuple[int, ...]
    truth: MaskReader
    predictions: Table
    ids: Ids

    @property
    def accepted(self) -> str:
        """The numbers that a prediction may hold, in words."""
        return f"{self.ids} ids {in_ranges(np.flatnonzero(self.predictions != INVALID).tolist())}"


def in_ranges(numbers: list[int]) -> str:
    """Sorted numbers, with ranges in place of neighbours.

    Example:
        >>> in_ranges([0, 1, 2, 5, 7, 8])
        '0-2, 5, 7, 8'
    """
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    parts = [[f"{run[0]}-{run[-1]}"] if len(run) > 2 else list(map(str, run)) for run in runs]
    return ", ".join(part for run in parts for part in run)


def convention_of(dataset: str, ids: Ids, classes: Path | None) -> Convention:
    """How the files of a data set are read.

    Args:
        dataset: `cityscapes`, `folder`, or a name in `LABEL_SETS`.
        ids: What predictions hold.
        classes: The classes.yaml of `folder`.

    Raises:
        DataConfigError: There is no such data set, or the classes are missing, or given where they are known.
        DataError: The classes cannot be read.
    """
    if ids not in get_args(Ids):
        raise DataConfigError(f"ids is {' or '.join(get_args(Ids))}, not {ids!r}")
    if dataset == FOLDER:
        return _listed(ids, classes)
    if classes is not None:
        raise DataConfigError(f"--classes is for --dataset folder; the classes of {dataset} are known")
    if dataset == CITYSCAPES_NAME:
        return _cityscapes(ids)
    if dataset not in LABEL_SETS:
        raise DataConfigError(f"dataset is one of {', '.join((CITYSCAPES_NAME, FOLDER, *LABEL_SETS))}, not {dataset!r}")
    labels = LABEL_SETS[dataset]
    predictions = labels.to_train_ids() if ids == "regular" else labels.check_train_ids()
    return _plain(labels, ids, ValueMasks(labels.to_train_ids()), predictions)


def _plain(labels: LabelSet, ids: Ids, truth: MaskReader, predictions: Table) -> Convention:
    """A convention in which every class has a score; ids that label files ignore are no class in a prediction."""
    table = np.where(predictions == IGNORE, np.uint8(len(labels)), predictions)
    return Convention(labels=labels, scored=labels.ids, truth=truth, predictions=table, ids=ids)


def _listed(ids: Ids, classes: Path | None) -> Convention:
    """The convention of a classes.yaml."""
    if classes is None:
        raise DataConfigError(f"--dataset folder needs --classes {FILE_NAME}, which lists the classes and their values")
    table = read_class_table(classes)
    if table.masks == "files":
        raise DataConfigError(f"{classes}: masks of one file for each class cannot be scored; use foveate validate")
    labels = table.label_set()
    predictions = table.value_table() if ids == "regular" else labels.check_train_ids()
    return _plain(labels, ids, create_mask_reader(table), predictions)


def _cityscapes(ids: Ids) -> Convention:
    """Cityscapes': every id is counted, 19 of 34 have a score; see `label_reader` for label maps of train ids."""
    predictions = CITYSCAPES_ALL.check_train_ids() if ids == "regular" else regular_of_train()
    if ids == "regular":
        predictions[IGNORE] = INVALID  # no regular id
    truth = ValueMasks(CITYSCAPES_ALL.to_train_ids())
    return Convention(labels=CITYSCAPES_ALL, scored=CITYSCAPES.ids, truth=truth, predictions=predictions, ids=ids)


def regular_of_train() -> Table:
    """Cityscapes' train id -> regular id, 0 for 255, 254 for a number that is no train id."""
    table = np.full(256, INVALID, dtype=np.uint8)
    table[: len(CITYSCAPES)] = CITYSCAPES.ids
    table[IGNORE] = UNLABELED
    return table


def look_like_train_ids(predicted: set[int], convention: Convention) -> bool:
    """Whether predictions that were read as regular ids seem to hold train ids.

    They do if no number is too large for a train id, and some are no class among regular ids.

    Args:
        predicted: The regular ids that occur.
        convention: How the predictions were read.

    Example:
        >>> look_like_train_ids({0, 2, 8, 13}, convention_of("cityscapes", "regular", None))
        True
        >>> look_like_train_ids({7, 8, 11}, convention_of("cityscapes", "regular", None))
        False
    """
    return (
        convention.ids == "regular"
        and bool(predicted - set(convention.scored))
        and max(predicted) < len(convention.scored)
    )
