"""Reads image files strictly: a damaged file is an error that names it, never half an image."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from foveate.datasets.errors import DamagedError, DataError
from foveate.datasets.files.decoding import MAX_PIXELS, decode_image, opened

HEAD = 1 << 16  # bytes from the start of a file, which nearly always hold its size


def read_image(path: Path, *, max_pixels: int = MAX_PIXELS) -> NDArray[np.uint8]:
    """An image as RGB bytes (H, W, 3), by the rules of `decode_image`.

    Args:
        path: An image file.
        max_pixels: Larger images are refused.

    Raises:
        DataError: The file is missing, damaged, no image, or larger than `max_pixels`.
    """
    return decode_image(read_bytes(path), str(path), max_pixels=max_pixels)


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


def read_bytes(path: Path) -> bytes:
    """The content of a file.

    Raises:
        DamagedError: It is missing or cannot be read.
    """
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise DamagedError(f"{path}: no such file") from None
    except OSError as error:
        raise DamagedError(f"{path}: cannot be read as an image: {type(error).__name__}: {error}") from error
