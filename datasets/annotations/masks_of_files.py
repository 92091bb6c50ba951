"""Regions of exports that store one mask file for each image."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from foveate.datasets.annotations.model import Bitmap, LazyRegions, Region
from foveate.datasets.errors import DataError
from foveate.datasets.text import few

Numbers = NDArray[np.int64]  # (H, W), a number for each pixel
Meaning = tuple[str, bool] | None  # the class that a number stands for, and whether it is ignored; None for no region


def mask_regions(
    path: Path, read: Callable[[Path], Numbers], meanings: Mapping[int, Meaning], show: Callable[[int], str] = str
) -> LazyRegions:
    """One region for each class in a mask file, read when it is drawn.

    Args:
        path: The mask file.
        read: Gives its numbers.
        meanings: What each number stands for.
        show: A number as messages show it.
    """
    return LazyRegions(lambda: list(_regions(read(path), meanings, path, show)))


def file_key(path: Path) -> bytes:
    """Stands for the content of a file: its name, size and time.

    Args:
        path: The file.
    """
    stat = path.stat()
    return f"{path} {stat.st_size} {stat.st_mtime_ns}".encode()


def pack_colour(pixels: NDArray[np.uint8]) -> Numbers:
    """One number for each pixel of an RGB image: red + 256 green + 65536 blue, as COCO numbers segments.

    Args:
        pixels: RGB (H, W, 3).
    """
    red, green, blue = np.moveaxis(pixels.astype(np.int64), -1, 0)
    return np.asarray(red + 256 * green + 65536 * blue)


def unpack_colour(number: int) -> str:
    """A colour that `pack_colour` packed, as messages show it.

    Args:
        number: The packed colour.

    Example:
        >>> unpack_colour(1 + 256 * 2 + 65536 * 3)
        '[1, 2, 3]'
    """
    return str([number & 255, number >> 8 & 255, number >> 16])


def _regions(
    numbers: Numbers, meanings: Mapping[int, Meaning], path: Path, show: Callable[[int], str]
) -> Iterator[Region]:
    found, places, counts = np.unique(numbers, return_inverse=True, return_counts=True)
    listed = found.tolist()
    unknown = [f"{show(n)} ({count} px)" for n, count in zip(listed, counts, strict=True) if n not in meanings]
    if unknown:
        raise DataError(f"{path}: values that stand for no class: {few(unknown)}; known are {few(map(show, meanings))}")
    for meaning in dict.fromkeys(meanings[number] for number in listed):
        if meaning is not None:
            mine = np.array([meanings[number] == meaning for number in listed])
            pixels = mine[places].reshape(numbers.shape)
            bitmap = Bitmap(top=0, left=0, decode=partial(np.asarray, pixels), key=b"")
            yield Region(label=meaning[0], ignore=meaning[1], bitmap=bitmap)
