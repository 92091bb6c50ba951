"""Counts pixels of frames: labels against predictions, and Cityscapes' instances against predictions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from jaxtyping import Int64

from foveate.datasets.errors import DataError
from foveate.datasets.files.pairs import Pair
from foveate.datasets.labels import CITYSCAPES, INVALID, Table
from foveate.datasets.masks.stored import read_numbers
from foveate.datasets.masks.values import ValueMasks, apply_table
from foveate.datasets.text import few
from foveate.datasets.threads import in_threads
from foveate.pipeline.scoring.conventions import Convention, in_ranges, regular_of_train
from foveate.pipeline.scoring.frames import KINDS, Frame
from foveate.pipeline.scoring.values import BYTES, count_regions, count_values

PER_CLASS = 1000  # an instance id is 1000 times its class's id plus a number
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
    truth, predicted = _read_truth(frame.label, convention), _read_prediction(frame.prediction, convention)
    _same_size(truth, predicted)
    pairs = count_values(truth.numbers, predicted.numbers)
    truth.check(pairs.sum(1))
    predicted.check(pairs.sum(0))
    classes = len(convention.labels)
    confusion = _merge(_merge(pairs, truth.table, classes).T, predicted.table, classes + 1).T
    if not with_instances or frame.instances is None:
        return Counts(confusion)
    instances = _Read(frame.instances, np.ascontiguousarray(read_numbers(frame.instances)), predicted.table, "")
    _same_size(instances, predicted)
    ids, values = count_regions(instances.numbers, predicted.numbers, PER_CLASS)
    found = _merge(values.T, predicted.table, classes + 1).T
    return _with_instances(confusion, ids, found, frame.instances)


@dataclass(frozen=True, eq=False)
class _Read:
    """A file that was read.

    Attributes:
        path: The file.
        numbers: What it holds.
        table: Number -> class number, 254 for one that is not accepted.
        hint: What to do about one.
    """

    path: Path
    numbers: np.ndarray
    table: Table
    hint: str

    def check(self, counts: Int64[np.ndarray, "256"]) -> None:
        """Refuse numbers that are not accepted.

        Args:
            counts: How often each number occurs.

        Raises:
            DataError: One does.
        """
        wrong = np.flatnonzero((self.table[:BYTES] == INVALID) & (counts > 0))
        if len(wrong):
            raise DataError(self.fault(wrong.tolist(), counts[wrong].tolist()))

    def fault(self, values: Sequence[int], counts: Sequence[int]) -> str:
        """What is wrong with numbers in the file.

        Args:
            values: The numbers.
            counts: How often each occurs.
        """
        found = few(f"{value} ({count} px)" for value, count in zip(values, counts, strict=True))
        accepted = in_ranges(np.flatnonzero(self.table != INVALID).tolist())
        return f"{self.path} holds {found}; accepted are {accepted}{self.hint}"


def _as_bytes(read: _Read) -> _Read:
    """The same with class numbers in place of numbers of more than 8 bits.

    Raises:
        DataError: A number is not accepted.
    """
    if read.numbers.dtype == np.uint8:
        return read if read.numbers.flags.c_contiguous else replace(read, numbers=read.numbers.copy())
    mapped = apply_table(read.numbers, read.table)
    if (mapped == INVALID).any():
        values, counts = np.unique(read.numbers[mapped == INVALID], return_counts=True)
        raise DataError(read.fault(values.tolist(), counts.tolist()))
    return _Read(read.path, mapped, np.arange(BYTES, dtype=np.uint8), read.hint)


def _read_truth(path: Path, convention: Convention) -> _Read:
    if not isinstance(convention.truth, ValueMasks):  # masks of colours
        return _Read(path, convention.truth.read(Pair(path, path)), np.arange(BYTES, dtype=np.uint8), "")
    of_train_ids = path.stem.endswith(f"_{KINDS[1]}") and convention.scored == CITYSCAPES.ids
    return _as_bytes(
        _Read(path, read_numbers(path), regular_of_train() if of_train_ids else convention.truth.table, "")
    )


def _read_prediction(path: Path, convention: Convention) -> _Read:
    other = "regular" if convention.ids == "train" else "train"
    hint = f" ({convention.ids} ids); if predictions hold {other} ids, say --ids {other}"
    return _as_bytes(_Read(path, read_numbers(path), convention.predictions, hint))


def _same_size(one: _Read, other: _Read) -> None:
    if one.numbers.shape != other.numbers.shape:
        sizes = [f"{read.path} is {read.numbers.shape[0]} x {read.numbers.shape[1]}" for read in (other, one)]
        raise DataError(f"{sizes[0]}, but {sizes[1]} (height x width)")


def _merge(counts: Int64[np.ndarray, "256 M"], table: Table, classes: int) -> Int64[np.ndarray, "K M"]:
    """Counts by class in place of by number; those of no class are left out.

    Args:
        counts: A row for each number.
        table: Number -> class number.
        classes: Number of classes K.
    """
    merged = np.zeros((classes, counts.shape[1]), dtype=np.int64)
    numbers = np.flatnonzero(table[:BYTES] < classes)
    np.add.at(merged, table[numbers], counts[numbers])
    return merged


def _with_instances(
    confusion: Int64[np.ndarray, "K M"], ids: Int64[np.ndarray, " N"], found: Int64[np.ndarray, "N M"], path: Path
) -> Counts:
    owners = ids // PER_CLASS
    if len(owners) and owners.max() >= len(confusion):
        raise DataError(f"{path}: instance id {ids[-1]} is of no class; ids are 1000 x the class's id + a number")
    return Counts(confusion, found.sum(1), owners, found)


def predicted_ids(counts: Counts, convention: Convention) -> set[int]:
    """The regular ids that predictions hold where something is labelled; the least void id stands for no class.

    Args:
        counts: Of all frames.
        convention: How the predictions were read.
    """
    columns = counts.confusion.sum(0)
    ids = {number for number, count in zip(convention.labels.ids, columns[:-1], strict=True) if count}
    return ids | ({min(convention.labels.void_ids)} if columns[-1] and convention.labels.void_ids else set())
