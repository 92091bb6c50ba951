"""Reads images and label maps, strictly: a damaged file is an error that names it, never half an image."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from foveate.datasets.errors import DataError
from foveate.datasets.labels import INVALID, Table

MAX_PIXELS = 64_000_000  # refused from the header, before anything is decoded
DEEP_MODES = ("I;16", "I;16B", "I;16L", "I;16N", "I")
LABEL_MODES = ("1", "L", "P", *DEEP_MODES)  # one whole number per pixel


def read_image(path: Path, *, max_pixels: int = MAX_PIXELS) -> NDArray[np.uint8]:
    """An image as RGB bytes (H, W, 3), turned as its EXIF orientation says.

    Grey becomes three equal channels, alpha is dropped, 16 bits keep their upper 8, of an animation the first frame
    is taken.

    Raises:
        DataError: The file is missing, damaged, no image, or larger than `max_pixels`.
    """
    with _opened(path, max_pixels) as image:
        upright = _upright(image)
        if upright.mode in DEEP_MODES:
            grey = (np.asarray(upright).astype(np.int64) >> 8).clip(0, 255).astype(np.uint8)
            return np.repeat(grey[..., None], 3, axis=2)
        return np.array(upright.convert("RGB"))


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
    with _opened(path, max_pixels) as image:
        if image.mode not in LABEL_MODES:
            raise DataError(
                f"{path}: a label map in colour or with alpha (mode {image.mode}); expected one whole number per "
                "pixel, grey or palette"
            )
        stored = np.asarray(image)
    return map_ids(stored, table, path)


def map_ids(stored: NDArray[np.generic], table: Table, path: Path) -> NDArray[np.uint8]:
    """Apply an id table, and report every id it does not define."""
    if stored.dtype == np.uint8:
        mapped: NDArray[np.uint8] = table[stored]
    else:
        wide = stored.astype(np.int64)
        mapped = table[wide.clip(0, 255)]
        mapped[(wide < 0) | (wide > 255)] = INVALID
    if (mapped == INVALID).any():
        values, counts = np.unique(stored[mapped == INVALID], return_counts=True)
        found = ", ".join(f"{value} ({count} px)" for value, count in zip(values[:5], counts[:5], strict=True))
        known = ", ".join(map(str, np.flatnonzero(table < INVALID)))
        raise DataError(
            f"{path}: label id out of range: {found}; classes here are {known}. "
            "Are these train ids, regular ids or instance ids by mistake?"
        )
    return mapped


@contextmanager
def _opened(path: Path, max_pixels: int) -> Iterator[Image.Image]:
    """The decoded first frame; whatever Pillow raises becomes a DataError."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of odd metadata; the pixels are checked by decoding them
            with Image.open(path) as image:
                _check_size(path, image.size, max_pixels)
                image.load()
                yield image
    except DataError:
        raise
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except Exception as error:
        raise DataError(f"{path}: cannot be read as an image: {type(error).__name__}: {error}") from error


def _check_size(path: Path, size: tuple[int, int], max_pixels: int) -> None:
    width, height = size
    if width * height > max_pixels:
        raise DataError(f"{path}: {height} x {width} is more than the {max_pixels / 1e6:.0f} million pixels allowed")


def _upright(image: Image.Image) -> Image.Image:
    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # metadata that cannot be parsed says nothing about orientation
        return image
