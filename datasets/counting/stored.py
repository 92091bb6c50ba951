"""Class counts on disk, so that a split is counted once, by one of several processes."""

from __future__ import annotations

import hashlib
import io
import logging
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from foveate.datasets.counting.classes import ClassCounts
from foveate.datasets.counting.presence import Presence
from foveate.datasets.errors import DataError
from foveate.datasets.files.locking import alone
from foveate.datasets.files.pairs import Pair
from foveate.datasets.files.writing import write_whole
from foveate.datasets.statistics import ClassStatistics

log = logging.getLogger(__name__)

FORMAT = 1  # version; raise it when older files cannot be read
LOCK = ".classes.lock"


def counts_path(folder: Path, root: Path, pairs: Sequence[Pair], key: bytes, num_classes: int) -> Path:
    """The file of the counts of a split; another one once a label map or the way to read it changes.

    Args:
        folder: Where counts are kept.
        root: The data set's folder; label maps are known by their paths in it.
        pairs: All of the split, in order.
        key: Of the reader of label maps.
        num_classes: Number of classes.

    Raises:
        DataError: A label map is missing.
    """
    digest = hashlib.sha256(b"%d %d " % (FORMAT, num_classes) + key)
    for pair in pairs:
        for path in pair.parts or (pair.label,):
            digest.update(os.fsencode(f"{os.path.relpath(path, root)}\0{_state(path)}\0"))
    return folder / f"classes-train-{digest.hexdigest()[:16]}.npz"


def _state(path: Path) -> str:
    try:
        found = os.stat(path)
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    return f"{found.st_size}@{found.st_mtime_ns}"


def cached_counts(path: Path, count: Callable[[], ClassCounts]) -> ClassCounts:
    """The counts in a file; if there are none, one of several processes counts, and the others wait for its file.

    Args:
        path: The file. Where it cannot be written, every process counts by itself, and says so.
        count: Counts.
    """
    found = read_counts(path)
    if found is not None:
        return found
    with _alone_if_possible(path.with_name(LOCK)):
        found = read_counts(path)  # another process may have counted meanwhile
        if found is None:
            found = count()
            _keep(path, found)
    return found


def read_counts(path: Path) -> ClassCounts | None:
    """The counts in a file; None if it is missing or damaged."""
    try:
        with np.load(path, allow_pickle=False) as file:
            pixels, images, around, bits = (file[name] for name in ("pixels", "images", "image_pixels", "bits"))
    except (OSError, ValueError, KeyError, EOFError):
        return None
    statistics = ClassStatistics(pixels=pixels, images=images, image_pixels=around, num_images=len(bits))
    return ClassCounts(statistics=statistics, presence=Presence(bits, len(pixels)))


def _keep(path: Path, counts: ClassCounts) -> None:
    found, data = counts.statistics, io.BytesIO()
    np.savez_compressed(
        data,
        pixels=found.pixels,
        images=found.images,
        image_pixels=found.image_pixels,
        bits=counts.presence.bits,
    )
    try:
        write_whole(path, data.getvalue())
    except OSError as error:
        log.info("the counted classes cannot be kept, and are counted again next time: %s", error)


@contextmanager
def _alone_if_possible(path: Path) -> Iterator[None]:
    """Wait for the lock; without one where the folder cannot be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    except OSError:
        yield
        return
    with alone(path):
        yield
