"""Masks in black and white."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from foveate.datasets.augment.resizing import Mask
from foveate.datasets.errors import DataError
from foveate.datasets.files.pairs import Pair
from foveate.datasets.masks.stored import Stored, read_pixels


@dataclass(frozen=True, eq=False)
class BinaryMasks:
    """Masks of two classes that are told apart by brightness, also where JPEG has blurred it.

    Pixels of at least half of the largest value of the file's type are class 1. In a file of nothing but 0 and 1 those
    of 1 are class 1.
    """

    @property
    def key(self) -> bytes:
        """The kind of mask."""
        return b"binary"

    def read(self, pair: Pair) -> Mask:
        """Train ids 0 and 1 of a mask in black and white."""
        return to_binary(read_pixels(pair.label, lossy=True), str(pair.label))


def to_binary(pixels: Stored, where: str) -> Mask:
    """Train ids (H, W), 0 or 1, of a mask in black and white.

    Args:
        pixels: Numbers (H, W) or RGB bytes (H, W, 3).
        where: The file, for the message.

    Raises:
        DataError: It holds floats above 1.
    """
    grey: Stored = pixels if pixels.ndim == 2 else pixels.max(axis=2)
    largest = float(grey.max()) if grey.size else 0.0
    if grey.dtype.kind == "f" and not 0 <= largest <= 1:
        raise DataError(f"{where}: a binary mask of floats up to {largest:.4g}; expected 0 to 1")
    white: Mask = (grey >= _half(grey.dtype, largest)).astype(np.uint8)
    return white


def _half(kind: np.dtype[Any], largest: float) -> float:
    """The smallest value of class 1."""
    if kind.kind == "f":
        return 0.5
    if kind.kind == "b" or largest <= 1:
        return 1
    return (np.iinfo(kind).max + 1) // 2 if kind.itemsize <= 2 else largest / 2
