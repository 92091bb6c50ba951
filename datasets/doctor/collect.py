"""Collects facts: finds the files of a data set, and reads all of them or an even sample."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from foveate.datasets.classification import ClassificationDataModule
from foveate.datasets.doctor.examine import Examiner, Job
from foveate.datasets.doctor.facts import Facts, Reads, Split, Unread
from foveate.datasets.doctor.parallel import in_parallel
from foveate.datasets.doctor.sample import Sample
from foveate.datasets.doctor.view import View
from foveate.datasets.errors import DataConfigError, DataError, UnpairedError
from foveate.datasets.files.pairs import Pair
from foveate.datasets.files.reading import read_image
from foveate.datasets.loading.train_order import Indices
from foveate.datasets.masks.binary import BinaryMasks
from foveate.datasets.masks.class_files import ClassFileMasks
from foveate.datasets.masks.colours import ColourMasks
from foveate.datasets.masks.reader import MaskReader
from foveate.datasets.masks.values import ValueMasks
from foveate.datasets.segmentation import SegmentationDataModule

log = logging.getLogger("foveate")
Progress = Callable[[str, int, int], None]  # split, pairs read, pairs in all
KINDS: tuple[tuple[type, Reads], ...] = (
    (ValueMasks, "values"),
    (ColourMasks, "colours"),
    (BinaryMasks, "binary"),
    (ClassFileMasks, "files"),
)


@dataclass(frozen=True, kw_only=True)
class Look:
    """How much is read; the pairs are evenly spread over each split.

    Attributes:
        headers: Pairs of each split whose headers are read; None for all.
        masks: Those of them whose label maps are read.
        pixels: Whether images are decoded.
        objects: Label maps of each split in which objects are measured.
        seconds: When to stop looking, if the files are slow.
    """

    headers: int | None = None
    masks: int | None = None
    pixels: bool = True
    objects: int = 100
    seconds: float | None = None


WHOLE = Look()
FAST = Look(masks=60, pixels=False, objects=0)
SAMPLE = Look(headers=200, masks=60, pixels=False, objects=0, seconds=3)


def collect(data: Any, look: Look = WHOLE, progress: Progress = lambda split, done, total: None) -> Facts:
    """What is known of a data set.

    Args:
        data: A SegmentationDataModule, or a ClassificationDataModule whose images are files.
        look: How much is read.
        progress: Told the split, the pairs that were read and their total.

    Raises:
        DataConfigError: The images of the data set are no files.
    """
    if isinstance(data, SegmentationDataModule):
        return _of_pairs(data, look, progress)
    if isinstance(data, ClassificationDataModule):
        return _of_classes(data, look, progress)
    raise DataConfigError(f"{type(data).__name__} is no data set of ours: its files are not known")


def _of_pairs(data: SegmentationDataModule, look: Look, progress: Progress) -> Facts:
    unread: list[Unread] = []
    with _listening() as notes:
        found = {name: pairs for name in data.splits() if (pairs := _find(data, name, unread)) is not None}
        masks, names = _classes_of(data, unread)
    read = _reader_of_images(data)
    examiner = Examiner(read, masks, True)
    splits = {}
    for name, pairs in found.items():
        jobs = _jobs(pairs, look, 0 if masks is None else len(names))
        splits[name] = Split(pairs, _examined(examiner, jobs, name, look, progress))
    return Facts(
        root=str(data.root),
        reads=_kind_of(masks),
        names=names,
        splits=splits,
        unread=list(dict.fromkeys(unread)),
        labels=data.label_set if masks is not None else None,
        table=masks.table if isinstance(masks, ValueMasks) else None,
        crop=data.transform.crop,
        eval_batch=data.eval_batch_size,
        groups=_groups(data, found),
        complete=look.headers is None and look.masks is None,
        decoded=look.pixels,
        notes=notes,
    )


def _find(data: SegmentationDataModule, split: str, unread: list[Unread]) -> Sequence[Pair] | None:
    """The pairs of a split; what has no partner is noted."""
    try:
        return data.pairs_of(split)
    except UnpairedError as error:
        unread += [Unread("images", str(error), tuple(error.images))] * bool(error.images)
        unread += [Unread("masks", str(error), tuple(error.masks))] * bool(error.masks)
        data.skip_unpaired()
        return error.splits.get(split)
    except DataConfigError:
        raise
    except DataError as error:
        unread.append(Unread("missing", str(error)))
        return None


def _classes_of(data: SegmentationDataModule, unread: list[Unread]) -> tuple[MaskReader | None, Sequence[str]]:
    try:
        return data.reader().masks, data.label_set.names
    except (DataConfigError, UnpairedError):
        return None, ()
    except DataError as error:
        if not any(one.kind == "missing" for one in unread):
            unread.append(Unread("classes", str(error)))
        return None, ()


def _reader_of_images(data: SegmentationDataModule) -> Callable[[Path], np.ndarray]:
    return read_image


def view_of(data: Any) -> View:
    """What pictures of a data set are read with.

    Args:
        data: The data module.
    """
    if isinstance(data, SegmentationDataModule):
        return View(_reader_of_images(data), _classes_of(data, [])[0])
    return View(read_image, None)


def _kind_of(masks: MaskReader | None) -> Reads:
    if masks is None:
        return "unknown"
    return next((kind for base, kind in KINDS if isinstance(masks, base)), "other")


def _groups(data: SegmentationDataModule, found: dict[str, Sequence[Pair]]) -> dict[str, Sequence[str]]:
    groups = {}
    with suppress(DataError):  # of files without partner, which are told already
        groups = {name: data.groups_of(name) for name in found}
    return groups if all(groups.values()) else {}


def _of_classes(data: ClassificationDataModule, look: Look, progress: Progress) -> Facts:
    splits: dict[str, Split] = {}
    unread: list[Unread] = []
    with _listening() as notes:
        for name in data.splits():
            try:
                files = ClassFiles(data.images_of(name))
            except DataConfigError:
                raise
            except DataError as error:
                unread.append(Unread("missing", str(error)))
                continue
            jobs = _jobs(files, look, 0, files.labels)
            splits[name] = Split(files, _examined(Examiner(read_image, None, False), jobs, name, look, progress))
    return Facts(
        root=str(data.root),
        reads="classes",
        names=data.label_set.names if splits else (),
        splits=splits,
        unread=list(dict.fromkeys(unread)),
        complete=look.headers is None,
        decoded=look.pixels,
        notes=notes,
    )


class ClassFiles(Sequence[Pair]):
    """The images of a data set of classes, as pairs of an image with itself.

    Args:
        dataset: A data set whose images are files.

    Raises:
        DataConfigError: They are not.
    """

    def __init__(self, dataset: Any) -> None:
        if not hasattr(dataset, "path"):
            raise DataConfigError("this data set has no image files of its own to check")
        self._dataset = dataset
        self.labels: Indices = dataset.labels

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> Pair:  # type: ignore[override]
        path = self._dataset.path(index)
        return Pair(path, path)


def spread(count: int, most: int | None) -> list[int]:
    """Positions evenly spread over a split.

    Args:
        count: Pairs in the split.
        most: How many at most; None for all.

    Example:
        >>> spread(9, 3)
        [0, 4, 8]
    """
    if most is None or most >= count:
        return list(range(count))
    return np.unique(np.linspace(0, count - 1, most).round().astype(int)).tolist() if most else []


def _jobs(pairs: Sequence[Pair], look: Look, classes: int, labels: Indices | None = None) -> list[Callable[[], Job]]:
    """One job for each pair that is looked at; made when it is asked for, since there may be millions."""
    places = spread(len(pairs), look.headers)
    held = {places[place] for place in spread(len(places), look.masks)}
    measured = {places[place] for place in spread(len(places), look.objects)}

    def job(index: int) -> Callable[[], Job]:
        return lambda: Job(
            index=index,
            pair=pairs[index],
            held=index in held,
            pixels=look.pixels,
            objects=classes if index in measured else 0,
            label=-1 if labels is None else int(labels[index]),
        )

    return [job(index) for index in places]


def _examined(
    examiner: Examiner, jobs: list[Callable[[], Job]], split: str, look: Look, progress: Progress
) -> list[Sample]:
    samples = []
    for sample in in_parallel(lambda job: examiner(job()), jobs, seconds=look.seconds):
        samples.append(sample)
        progress(split, len(samples), len(jobs))
    return samples


@contextmanager
def _listening() -> Iterator[list[str]]:
    """Lines that the data set logs, such as which folders it took for what."""
    notes: list[str] = []

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            notes.append(record.getMessage())

    listener = Listener()
    log.addHandler(listener)
    try:
        yield notes
    finally:
        log.removeHandler(listener)
