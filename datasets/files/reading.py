"""Reads images and label maps, strictly: a damaged file is an error that names it, never half an image."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from foveate.datasets.errors import DataError
from foveate.datasets.files.decoding import MAX_PIXELS, decode_image, decode_label, opened
from foveate.datasets.labels import INVALID, Table

HEAD = 1 << 16  # bytes from the start of a file, which nearly always hold its size


def read_image(path: Path, *, max_pixels: int = MAX_PIXELS) -> NDArray[np.uint8]:
    """An image as RGB bytes (H, W, 3), by the rules of `decode_image`.

    Args:
        path: An image file.
        max_pixels: Larger images are refused.

    Raises:
        DataError: The file is missing, damaged, no image, or larger than `max_pixels`.
    """
    return decode_image(_read(path), str(path), max_pixels=max_pixels)


def read_size(path: Path) -> tuple[int, int]:
    """Height and width of an image as it is stored, from its header.

    Raises:
        DataError: The file is missing, or no image.
    """
    with path.open("rb") as file:
        head = file.read(HEAD)
    try:
        with opened(head, str(path), MAX_PIXELS) as image:
            return image.size[1], image.size[0]
    except DataError:
        height, width = read_image(path).shape[:2]
        return height, width


def read_label(path: Path, table: Table, *, max_pixels: int = MAX_PIXELS) -> NDArray[np.uint8]:
    """A label map as train ids (H, W), uint8, 255 where ignored.

    Palette images give their indices, not their colours.

    Args:
        path: An 8-bit or 16-bit grey or palette image.
        table: Stored id -> train id, 254 for an id that is not defined.
        max_pixels: Larger files are refused.

    Raises:
        DataError: The file is missing, damaged, in colour, or holds an id that the data set does not define.
    """
    return map_ids(decode_label(_read(path), str(path), max_pixels=max_pixels), table, path)


def map_ids(stored: NDArray[np.generic], table: Table, path: Path) -> NDArray[np.uint8]:
    """Train ids (H, W) of stored ids.

    Args:
        stored: Ids (H, W), of any integer type.
        table: Stored id -> train id, 254 for an id that is not defined; ids beyond its end are not defined.
        path: The file, for the message.

    Raises:
        DataError: An id is not defined.
    """
    if stored.dtype == np.uint8:
        mapped: NDArray[np.uint8] = np.asarray(cv2.LUT(np.ascontiguousarray(stored), table[:256]), dtype=np.uint8)
    else:
        wide = stored.astype(np.int64)
        mapped = table[wide.clip(0, len(table) - 1)]
        mapped[(wide < 0) | (wide >= len(table))] = INVALID
    if (mapped == INVALID).any():
        values, counts = np.unique(stored[mapped == INVALID], return_counts=True)
        found = ", ".join(f"{value} ({count} px)" for value, count in zip(values[:5], counts[:5], strict=True))
        known = ", ".join(map(str, np.flatnonzero(table < INVALID)))
        raise DataError(
            f"{path}: label id out of range: {found}; classes here are {known}. "
            "Are these train ids, regular ids or instance ids by mistake?"
        )
    return mapped


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read as an image: {type(error).__name__}: {error}") from error
