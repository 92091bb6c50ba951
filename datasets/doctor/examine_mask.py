"""Reads one label map, and keeps what checks ask about it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8
from numpy.typing import NDArray
from PIL import Image

from foveate.datasets.counting.values import count_values
from foveate.datasets.doctor.sample import Counts, MaskFacts, Sample, Trouble
from foveate.datasets.errors import DataError
from foveate.datasets.files.pairs import Pair
from foveate.datasets.files.reading import read_bytes
from foveate.datasets.labels import IGNORE, INVALID, Table
from foveate.datasets.masks.colours import ColourMasks
from foveate.datasets.masks.reader import MaskReader
from foveate.datasets.masks.stored import JPEG, as_numbers, read_pixels, read_stored
from foveate.datasets.masks.survey import count_runs
from foveate.datasets.masks.values import ValueMasks, apply_table

Ids = UInt8[np.ndarray, "H W"]
Numbers = NDArray[np.generic]
ROWS = 4  # every fourth row is looked at for traces of resizing
NOBODY = Counts(np.empty(0, np.int32), np.empty(0, np.int32))


def examine_mask(sample: Sample, pair: Pair, masks: MaskReader | None, wanted: bool = True) -> Ids | None:
    """Read a label map; what is wrong with it is noted in the sample.

    Args:
        sample: Gets what is known.
        pair: The files.
        masks: Reads label maps; None where the classes are not known, so that files are only decoded.
        wanted: Whether train ids are asked for; where masks hold numbers, counts do without them.

    Returns:
        Train ids, if they can be read.
    """
    if masks is None or isinstance(masks, ValueMasks):
        return _examine_numbers(sample, pair.label, masks, wanted)
    if isinstance(masks, ColourMasks):
        return _examine_colours(sample, pair.label, masks)
    try:
        ids = masks.read(pair)
    except DataError as error:
        sample.add(Trouble.UNKNOWN if sample.mask or pair.parts else Trouble.DAMAGED, "mask", error)
        return None
    sample.held = MaskFacts((ids.shape[0], ids.shape[1]), count_numbers(ids))
    return ids


def _examine_numbers(sample: Sample, path: Path, masks: ValueMasks | None, wanted: bool) -> Ids | None:
    try:
        stored = read_stored(path)
    except DataError as error:
        sample.add(_why(path), "mask", error)
        return None
    try:
        numbers = as_numbers(stored, path)
    except DataError as error:
        if masks is not None:
            sample.add(Trouble.COLOUR if stored.ndim == 3 else Trouble.FRACTION, "mask", error)
        return None
    counts = count_numbers(numbers)
    table = np.full(256, INVALID, np.uint8) if masks is None else masks.table
    held = MaskFacts((numbers.shape[0], numbers.shape[1]), mapped(counts, table), counts)
    held.palette = _palette(path, counts) if sample.mask and sample.mask.mode == "P" else b""
    held.edges, held.between, held.lonely, held.rungs = edges_of(numbers)
    sample.held = held
    known = masks is not None and not (held.ids.keys == INVALID).any()
    return apply_table(numbers, table) if wanted and known else None


def _examine_colours(sample: Sample, path: Path, masks: ColourMasks) -> Ids | None:
    try:
        pixels = read_pixels(path)
    except DataError as error:
        sample.add(_why(path), "mask", error)
        return None
    size = pixels.shape[0], pixels.shape[1]
    try:
        ids = masks.to_train_ids(pixels, str(path))
    except DataError as error:
        sample.add(Trouble.UNKNOWN, "mask", error)
        sample.held = MaskFacts(size, NOBODY)
        return None
    sample.held = MaskFacts(size, count_numbers(ids))
    return ids


def _why(path: Path) -> Trouble:
    try:
        return Trouble.LOSSY if read_bytes(path).startswith(JPEG) else Trouble.DAMAGED
    except DataError:
        return Trouble.DAMAGED


def count_numbers(numbers: Numbers) -> Counts:
    """How often each number occurs.

    Args:
        numbers: Whole numbers (H, W); those beyond 32 bits are cut to the largest that has 32.
    """
    if numbers.dtype == np.uint8:
        return _nonzero(count_values(numbers.astype(np.uint8, copy=False)))
    found = count_runs(numbers)
    limits = np.iinfo(np.int32)
    keys = np.array([*found], dtype=np.int64).clip(limits.min, limits.max).astype(np.int32)
    return Counts(keys, np.array([*found.values()], dtype=np.int64).clip(0, limits.max).astype(np.int32))


def mapped(stored: Counts, table: Table) -> Counts:
    """How often each train id occurs.

    Args:
        stored: How often each stored number occurs.
        table: Stored number -> train id.
    """
    ids = np.full(len(stored.keys), INVALID, dtype=np.int64)
    inside = (stored.keys >= 0) & (stored.keys < len(table))
    ids[inside] = table[stored.keys[inside]]
    pixels = np.bincount(ids, weights=stored.pixels, minlength=IGNORE + 1)
    return _nonzero(pixels)


def _nonzero(pixels: NDArray[Any]) -> Counts:
    keys = np.flatnonzero(pixels)
    return Counts(keys.astype(np.int32), pixels[keys].astype(np.int32))


def edges_of(numbers: Numbers) -> tuple[int, int, int, int]:
    """Traces of resizing or compression in every fourth row.

    Args:
        numbers: Whole numbers (H, W).

    Returns:
        Changes from one pixel to the next; single pixels whose number lies between those on both sides; single pixels
        that differ from both; and how many different numbers lie between.

    Example:
        >>> edges_of(np.array([[0, 0, 9, 18, 18, 18]]))
        (2, 1, 1, 1)
    """
    rows: NDArray[Any] = numbers[::ROWS]
    rows = rows.astype(np.uint8) if rows.dtype == np.bool_ else rows
    change = rows[:, 1:] != rows[:, :-1]
    lonely = change[:, 1:] & change[:, :-1]
    count = int(np.count_nonzero(lonely))
    if not count:
        return int(np.count_nonzero(change)), 0, 0, 0
    line, place = np.nonzero(lonely)
    left, middle, right = (rows[line, place + step] for step in range(3))
    between = ((left < middle) & (middle < right)) | ((left > middle) & (middle > right))
    rungs = len(np.unique(middle[between])) if between.any() else 0
    return int(np.count_nonzero(change)), int(np.count_nonzero(between)), count, rungs


def _palette(path: Path, counts: Counts) -> bytes:
    """Number, red, green and blue of each number that is used."""
    try:
        with Image.open(path) as image:
            colours = bytes(image.getpalette("RGB") or ())
    except Exception:  # the pixels were read, so only odd metadata is left
        return b""
    used = [number for number in counts.keys.tolist() if 0 <= 3 * number < len(colours)]
    return b"".join(bytes((number,)) + colours[3 * number : 3 * number + 3] for number in used)
