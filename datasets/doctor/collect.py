"""Collects facts: finds the files of a data set, and reads all of them or an even sample."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from foveate.datasets.classification import ClassificationDataModule
from foveate.datasets.doctor.examine import Examiner, Job
from foveate.datasets.doctor.facts import Facts, Reads, Split, Unread
from foveate.datasets.doctor.sample import Sample
from foveate.datasets.doctor.view import View
from foveate.datasets.errors import DataConfigError, DataError, UnpairedError
from foveate.datasets.files.decoding import MAX_PIXELS
from foveate.datasets.files.image_reader import ImageReader
from foveate.datasets.files.pairs import Pair
from foveate.datasets.files.reading import read_bytes, read_image
from foveate.datasets.files.stored_image import decode_stored
from foveate.datasets.files.survey import spread
from foveate.datasets.files.value_range import measure, to_bytes
from foveate.datasets.labels import INVALID, Table
from foveate.datasets.loading.train_order import Indices
from foveate.datasets.masks.binary import BinaryMasks
from foveate.datasets.masks.class_files import ClassFileMasks
from foveate.datasets.masks.colours import ColourMasks
from foveate.datasets.masks.reader import MaskReader
from foveate.datasets.masks.values import ValueMasks
from foveate.datasets.segmentation import SegmentationDataModule
from foveate.datasets.threads import in_threads

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
        images: Those pairs whose images are decoded; None for all.
        objects: Label maps of each split in which objects are measured.
        seconds: When to stop looking, if the files are slow.
    """

    headers: int | None = None
    masks: int | None = None
    pixels: bool = True
    images: int | None = None
    objects: int = 30
    seconds: float | None = None


WHOLE = Look()
FAST = Look(masks=60, pixels=False, objects=0)
SAMPLE = Look(headers=200, masks=60, images=30, objects=0, seconds=3)


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
        reading = _settle(data, unread)
    masks, images = reading.masks, reading.images
    clipped = None if images.range is None else images.share_outside
    examiner = Examiner(reading.read, masks, True, reading.table, clipped)
    splits = {}
    for name, pairs in found.items():
        jobs = _jobs(pairs, look, len(reading.names))
        splits[name] = Split(pairs, _examined(examiner, jobs, name, look, progress))
    return Facts(
        root=str(data.root),
        reads=_kind_of(masks),
        names=reading.names,
        splits=splits,
        unread=list(dict.fromkeys(unread)),
        labels=data.own_labels if masks is not None else None,
        colours=data.label_set.colours if masks is not None else (),
        table=masks.table if isinstance(masks, ValueMasks) else None,
        crop=data.transform.crop,
        eval_batch=data.eval_batch_size,
        groups=_groups(data, found),
        complete=all(_is_whole(split, look) for split in splits.values()),
        decoded=look.pixels,
        exif=images.exif,
        range=images.range,
        range_is_found=reading.range_is_found,
        drops_alpha=images.bands is None,
        notes=notes,
    )


@dataclass(frozen=True, kw_only=True)
class Reading:
    """How a data set is read, as far as that is known.

    Attributes:
        masks: Reads label maps, before a label map of classes.
        names: Names of the classes, after it.
        table: What the label map of classes makes of each train id.
        read: Decodes an image as it is stored.
        images: Options of images.
        range_is_found: Whether the range of values was found from the images.
    """

    masks: MaskReader | None
    names: Sequence[str]
    table: Table | None
    read: Callable[[Path], np.ndarray]
    images: ImageReader
    range_is_found: bool


def _settle(data: SegmentationDataModule, unread: list[Unread]) -> Reading:
    """How a data set is read; what cannot be settled is noted, and then files are only decoded."""
    masks, names, table = _classes_of(data, unread)
    images, settled = data.given_images, None
    try:
        settled = data.settled_images
        images = settled.reader
    except DataConfigError as error:
        unread.append(Unread("kinds", str(error)))
    except DataError as error:
        if not any(one.kind == "missing" for one in unread):
            unread.append(Unread("kinds", str(error)))
    read = read_stretched if settled is None else lambda path: images.load(path)[0]
    found = settled is not None and settled.range_is_found
    return Reading(masks=masks, names=names, table=table, read=read, images=images, range_is_found=found)


def read_stretched(path: Path) -> np.ndarray:
    """An image as bytes, whatever its depth: its own smallest and largest value become 0 and 255.

    Args:
        path: The file.

    Raises:
        DataError: It cannot be decoded.
    """
    values = decode_stored(read_bytes(path), str(path), max_pixels=MAX_PIXELS).values
    if values.dtype == np.uint8:
        return values
    return to_bytes(values, measure([(values, None)]).span)


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


def _classes_of(
    data: SegmentationDataModule, unread: list[Unread]
) -> tuple[MaskReader | None, Sequence[str], Table | None]:
    try:
        masks, names = data.mask_reader(), data.label_set.names
        return masks, names, _keeping_invalid(data)
    except DataConfigError:
        raise
    except DataError as error:
        if not any(one.kind == "missing" for one in unread):
            unread.append(Unread("classes", str(error)))
        return None, (), None


def _keeping_invalid(data: SegmentationDataModule) -> Table | None:
    """The table of a label map, in which what stands for no class goes on doing so."""
    if data.mapped is None:
        return None
    table = data.mapped.table.copy()
    table[INVALID] = INVALID
    return table


def view_of(data: Any) -> View:
    """What pictures of a data set are read with.

    Args:
        data: The data module.
    """
    if isinstance(data, SegmentationDataModule):
        reading = _settle(data, [])
        return View(reading.read, reading.masks, reading.table)
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


def _some(count: int, most: int | None) -> Sequence[int]:
    """Positions evenly spread over a split; all of them if `most` is None."""
    return range(count) if most is None or most >= count else spread(count, most)


def _jobs(pairs: Sequence[Pair], look: Look, classes: int, labels: Indices | None = None) -> list[Callable[[], Job]]:
    """One job for each pair that is looked at; made when it is asked for, since there may be millions."""
    places = _some(len(pairs), look.headers)
    held = {places[place] for place in _some(len(places), look.masks)}
    decoded = {places[place] for place in _some(len(places), look.images)} if look.pixels else set()
    measured = {places[place] for place in _some(len(places), look.objects)}

    def job(index: int) -> Callable[[], Job]:
        return lambda: Job(
            index=index,
            pair=pairs[index],
            held=index in held,
            pixels=index in decoded,
            objects=classes if index in measured else 0,
            label=-1 if labels is None else int(labels[index]),
        )

    return [job(index) for index in places]


def _is_whole(split: Split, look: Look) -> bool:
    """Whether every label map of a split was read."""
    return len(split.samples) == len(split.pairs) and len(split.pairs) <= (look.masks or len(split.pairs))


def _examined(
    examiner: Examiner, jobs: list[Callable[[], Job]], split: str, look: Look, progress: Progress
) -> list[Sample]:
    samples = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # here too: filters that several threads set and reset get lost
        for sample in in_threads(lambda job: examiner(job()), jobs, seconds=look.seconds):
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
