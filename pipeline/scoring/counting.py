"""Counts pixels of frames: labels against predictions, and Cityscapes' instances against predictions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Int64, Integer, UInt8

from foveate.datasets.errors import DataError
from foveate.datasets.files.pairs import Pair
from foveate.datasets.labels import CITYSCAPES, INVALID, Table
from foveate.datasets.masks.values import ValueMasks, map_ids
from foveate.datasets.text import few
from foveate.datasets.threads import in_threads
from foveate.pipeline.scoring.conventions import Convention, regular_of_train
from foveate.pipeline.scoring.frames import KINDS, Frame
from foveate.pipeline.scoring.label_png import read_label

EXACT = 2**24  # pixels counted at once: OpenCV's counters are floats, which hold whole numbers up to there
PER_CLASS = 1000  # an instance id is 1000 times its class's id plus a number
Classes = UInt8[np.ndarray, "H W"]
Advance = Callable[[int, int], None]


@dataclass(frozen=True, eq=False)
class Counts:
    """What was counted in one frame or in several.

    Attributes:
        confusion: Pixels: K classes of labels in rows; K predicted classes, and no class, in columns.
        sizes: Pixels of each instance of the label maps; None where there are no instance ids.
        owners: The class of each instance.
        found: Pixels of each instance by their predicted class, in columns as in `confusion`.
    """

    confusion: Int64[np.ndarray, "K M"]
    sizes: Int64[np.ndarray, " N"] | None = None
    owners: Int64[np.ndarray, " N"] | None = None
    found: Int64[np.ndarray, "N M"] | None = None


def count_frames(
    frames: Sequence[Frame], convention: Convention, *, workers: int = 1, advance: Advance | None = None
) -> Counts:
    """Count all frames. The order of what is added does not depend on the number of workers.

    Args:
        frames: Label maps and predictions.
        convention: How they are read.
        workers: How many frames are read at the same time.
        advance: Called with the number of frames done, and of all.

    Raises:
        DataError: Files cannot be read, differ in size or hold a wrong number.
    """
    with_instances = all(frame.instances is not None for frame in frames)
    work = partial(_attempt, convention=convention, with_instances=with_instances)
    counts: list[Counts] = []
    faults: list[str] = []
    for done, result in enumerate(_each(work, frames, workers), start=1):
        if isinstance(result, str):
            faults.append(result)
        else:
            counts.append(result)
        if advance is not None:
            advance(done, len(frames))
    if faults:
        raise DataError(f"{len(faults)} of {len(frames)} frames cannot be scored: {few(faults, separator='; ')}")
    return add_up(counts)


def _each(work: Callable[[Frame], Counts | str], frames: Sequence[Frame], workers: int) -> Iterator[Counts | str]:
    return map(work, frames) if workers == 1 else in_threads(work, frames, threads=workers)


def _attempt(frame: Frame, *, convention: Convention, with_instances: bool) -> Counts | str:
    """The counts of a frame, or why there are none."""
    try:
        return count_frame(frame, convention, with_instances=with_instances)
    except DataError as error:
        return " ".join(str(error).split())


def add_up(counts: Sequence[Counts]) -> Counts:
    """The counts of several frames in one.

    Args:
        counts: Of at least one frame, all with instances or none.
    """
    confusion = np.sum([one.confusion for one in counts], axis=0)
    if any(one.sizes is None for one in counts):
        return Counts(confusion)
    parts = [(one.sizes, one.owners, one.found) for one in counts]
    return Counts(confusion, *(np.concatenate([part[place] for part in parts]) for place in range(3)))


def count_frame(frame: Frame, convention: Convention, *, with_instances: bool = True) -> Counts:
    """Count one frame.

    Args:
        frame: Its files.
        convention: How they are read.
        with_instances: Whether instances are counted, if the frame has instance ids.

    Raises:
        DataError: A file cannot be read, sizes differ, or a file holds a wrong number.
    """
    classes = len(convention.labels)
    truth = _read_truth(frame.label, convention)
    predicted = _read_prediction(frame.prediction, convention)
    _same_size(truth, frame.label, predicted, frame.prediction)
    confusion = count_pairs(truth, predicted, classes)
    if not with_instances or frame.instances is None:
        return Counts(confusion)
    instances = read_label(frame.instances)
    _same_size(instances, frame.instances, predicted, frame.prediction)
    numbers, found = count_instances(instances, predicted, classes)
    return _with_instances(confusion, numbers, found, frame.instances)


def _with_instances(
    confusion: Int64[np.ndarray, "K M"], numbers: Int64[np.ndarray, " N"], found: Int64[np.ndarray, "N M"], path: Path
) -> Counts:
    owners = numbers // PER_CLASS
    if len(owners) and owners.max() >= len(confusion):
        raise DataError(f"{path}: instance id {numbers[-1]} is of no class; ids are 1000 x the class's id + a number")
    return Counts(confusion, found.sum(1), owners, found)


def _read_truth(path: Path, convention: Convention) -> Classes:
    if not isinstance(convention.truth, ValueMasks):
        return convention.truth.read(Pair(path, path))
    of_train_ids = path.stem.endswith(f"_{KINDS[1]}") and convention.scored == CITYSCAPES.ids
    return map_ids(read_label(path), regular_of_train() if of_train_ids else convention.truth.table, path)


def _read_prediction(path: Path, convention: Convention) -> Classes:
    stored = read_label(path)
    with suppress(DataError):
        return map_ids(stored, convention.predictions, path)
    raise DataError(_wrong_numbers(stored, path, convention))


def _wrong_numbers(stored: np.ndarray, path: Path, convention: Convention) -> str:
    """What is wrong with the numbers of a prediction."""
    values, counts = np.unique(stored, return_counts=True)
    wrong = [
        f"{value} ({count} px)" for value, count in zip(values.tolist(), counts.tolist(), strict=True)
        if not _is_accepted(value, convention.predictions)
    ]  # fmt: skip
    other = "regular" if convention.ids == "train" else "train"
    hint = f"if predictions hold {other} ids, say --ids {other}"
    return f"{path}: predicts {few(wrong)}; accepted are {convention.accepted}; {hint}"


def _is_accepted(value: int, table: Table) -> bool:
    return 0 <= value < len(table) and table[value] != INVALID


def _same_size(one: np.ndarray, where: Path, other: np.ndarray, there: Path) -> None:
    if one.shape != other.shape:
        sizes = [f"{path} is {array.shape[0]} x {array.shape[1]}" for path, array in ((there, other), (where, one))]
        raise DataError(f"{sizes[0]}, but {sizes[1]} (height x width)")


def count_pairs(truth: Classes, predicted: Classes, classes: int) -> Int64[np.ndarray, "K M"]:
    """Count each pair of a label (row) and a prediction (column).

    Args:
        truth: Class numbers; K and above are left out.
        predicted: Class numbers, K for no class.
        classes: Number of classes K.

    Example:
        >>> one, other = np.array([[0, 1, 255]], np.uint8), np.array([[0, 2, 1]], np.uint8)
        >>> count_pairs(one, other, 2).tolist()
        [[1, 0, 0], [0, 0, 1]]
    """
    counts = np.zeros((classes, classes + 1), dtype=np.int64)
    rows = max(1, EXACT // max(1, truth.shape[1]))
    for start in range(0, truth.shape[0], rows):
        part = [np.ascontiguousarray(array[start : start + rows]) for array in (truth, predicted)]
        found = cv2.calcHist(part, [0, 1], None, [classes, classes + 1], [0, classes, 0, classes + 1])
        counts += found.reshape(counts.shape).astype(np.int64)
    return counts


def count_instances(
    instances: Integer[np.ndarray, "H W"], predicted: Classes, classes: int
) -> tuple[Int64[np.ndarray, " N"], Int64[np.ndarray, "N M"]]:
    """Count the predicted classes of each instance.

    Args:
        instances: Instance ids; numbers up to 1000 are regions without instances.
        predicted: Class numbers, K for no class.
        classes: Number of classes K.

    Returns:
        The instance ids, sorted, and for each its pixels by predicted class.
    """
    inside = instances > PER_CLASS
    numbers, classes_there = instances[inside], predicted[inside]
    if not len(numbers):
        return np.zeros(0, dtype=np.int64), np.zeros((0, classes + 1), dtype=np.int64)
    present = np.zeros(int(numbers.max()) + 1, dtype=bool)
    present[numbers] = True
    ids = np.flatnonzero(present).astype(np.int64)
    start = np.zeros(len(present), dtype=np.int64)
    start[ids] = np.arange(len(ids)) * (classes + 1)
    counts = np.bincount(start[numbers] + classes_there, minlength=len(ids) * (classes + 1))
    return ids, counts.reshape(len(ids), classes + 1)


def predicted_ids(counts: Counts, convention: Convention) -> set[int]:
    """The regular ids that predictions hold where something is labelled; the least void id stands for no class.

    Args:
        counts: Of all frames.
        convention: How the predictions were read.
    """
    columns = counts.confusion.sum(0)
    ids = {number for number, count in zip(convention.labels.ids, columns[:-1], strict=True) if count}
    return ids | ({min(convention.labels.void_ids)} if columns[-1] and convention.labels.void_ids else set())
