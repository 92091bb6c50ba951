"""Masks of whole numbers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from foveate.datasets.augment.resizing import Mask
from foveate.datasets.errors import DataError
from foveate.datasets.files.pairs import Pair
from foveate.datasets.labels import INVALID, Table
from foveate.datasets.masks.stored import MAX_PIXELS, read_numbers


@dataclass(frozen=True, eq=False)
class ValueMasks:
    """Masks of whole numbers.

    Args:
        table: Stored id -> train id, 255 where ignored, 254 for an id that is not defined.
    """

    table: Table

    @property
    def key(self) -> bytes:
        """The table."""
        return self.table.tobytes()

    def read(self, pair: Pair) -> Mask:
        """Train ids of a grey or palette image."""
        return read_label(pair.label, self.table)


def read_label(path: Path, table: Table, *, max_pixels: int = MAX_PIXELS) -> NDArray[np.uint8]:
    """A label map as train ids (H, W), uint8, 255 where ignored.

    Args:
        path: A mask file of whole numbers; see `read_numbers` for what is read.
        table: Stored id -> train id, 254 for an id that is not defined.
        max_pixels: Larger files are refused.

    Raises:
        DataError: The file is missing, damaged, lossy, in colour, or holds an id that the data set does not define.
    """
    return map_ids(read_numbers(path, max_pixels=max_pixels), table, path)


def apply_table(stored: NDArray[np.generic], table: Table) -> NDArray[np.uint8]:
    """Train ids (H, W) of stored ids, 254 for those that are not defined.

    Args:
        stored: Ids (H, W), of any integer type or bool.
        table: Stored id -> train id; ids beyond its end are not defined.
    """
    if stored.dtype == np.bool_:
        stored = stored.astype(np.uint8)
    if stored.dtype == np.uint8:
        return np.asarray(cv2.LUT(np.ascontiguousarray(stored), table[:256]), dtype=np.uint8)
    wide = stored.astype(np.int64)
    mapped: NDArray[np.uint8] = table[wide.clip(0, len(table) - 1)]
    mapped[(wide < 0) | (wide >= len(table))] = INVALID
    return mapped


def map_ids(stored: NDArray[np.generic], table: Table, path: Path) -> NDArray[np.uint8]:
    """Train ids (H, W) of stored ids.

    Args:
        stored: Ids (H, W), of any integer type.
        table: Stored id -> train id, 254 for an id that is not defined; ids beyond its end are not defined.
        path: The file, for the message.

    Raises:
        DataError: An id is not defined.
    """
    mapped = apply_table(stored, table)
    if (mapped == INVALID).any():
        values, counts = np.unique(stored[mapped == INVALID], return_counts=True)
        found = ", ".join(f"{value} ({count} px)" for value, count in zip(values[:5], counts[:5], strict=True))
        known = ", ".join(map(str, np.flatnonzero(table < INVALID)))
        raise DataError(
            f"{path}: label id out of range: {found}; classes here are {known}. "
            "Are these train ids, regular ids or instance ids by mistake?"
        )
    return mapped
