"""Masks whose colours stand for classes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from foveate.datasets.augment.resizing import Mask
from foveate.datasets.errors import DataError
from foveate.datasets.files.pairs import Pair
from foveate.datasets.labels import INVALID
from foveate.datasets.masks.stored import Stored, read_pixels

RGB = tuple[int, int, int]
SHOWN = 5


@dataclass(frozen=True, eq=False)
class ColourMasks:
    """Masks in RGB, RGBA or with a palette, read through a table of colours. Transparency is not looked at.

    Args:
        colours: RGB colour, 0-255 -> train id, 255 where ignored.

    Example:
        >>> reader = ColourMasks({(0, 0, 0): 255, (128, 64, 128): 0})
        >>> reader.to_train_ids(np.array([[[0, 0, 0], [128, 64, 128]]], np.uint8), "mask.png")
        array([[255,   0]], dtype=uint8)
    """

    colours: Mapping[RGB, int]
    _codes: NDArray[np.int64] = field(init=False, repr=False)
    _ids: NDArray[np.uint8] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        codes = np.array([(r << 16) | (g << 8) | b for r, g, b in self.colours], dtype=np.int64)
        order = np.argsort(codes)
        object.__setattr__(self, "_codes", codes[order])
        object.__setattr__(self, "_ids", np.array(list(self.colours.values()), dtype=np.uint8)[order])

    @property
    def key(self) -> bytes:
        """The table of colours."""
        return b"colours" + self._codes.tobytes() + self._ids.tobytes()

    def read(self, pair: Pair) -> Mask:
        """Train ids of a mask in colour."""
        return self.to_train_ids(read_pixels(pair.label), str(pair.label))

    def to_train_ids(self, pixels: Stored, where: str) -> Mask:
        """Train ids (H, W) of colours.

        Args:
            pixels: RGB bytes (H, W, 3), or grey (H, W).
            where: The file, for the message.

        Raises:
            DataError: A colour is in no class; lists those with the most pixels.
        """
        codes = encode_colours(pixels, where)
        place = np.searchsorted(self._codes, codes).clip(0, len(self._codes) - 1)
        train_ids = np.where(self._codes[place] == codes, self._ids[place], np.uint8(INVALID)).astype(np.uint8)
        if (unknown := train_ids == INVALID).any():
            raise DataError(f"{where}: {describe_colours(codes[unknown])} in no class; name them in classes.yaml")
        return train_ids


def encode_colours(pixels: Stored, where: str) -> NDArray[np.int32]:
    """One number 0xRRGGBB for each pixel.

    Args:
        pixels: RGB bytes (H, W, 3), or grey (H, W) of up to 8 bits.
        where: The file, for the message.

    Raises:
        DataError: They are not bytes.
    """
    if pixels.dtype == np.bool_:
        pixels = pixels.astype(np.uint8) * 255
    if pixels.dtype != np.uint8:
        raise DataError(f"{where}: a mask of {pixels.dtype} of shape {pixels.shape}; expected colours of 8 bits")
    planes = pixels[..., None].repeat(3, axis=2) if pixels.ndim == 2 else pixels
    wide = planes.astype(np.int32)
    codes: NDArray[np.int32] = (wide[..., 0] << 16) | (wide[..., 1] << 8) | wide[..., 2]
    return codes


def decode_colour(code: int) -> RGB:
    """The RGB colour of a number 0xRRGGBB."""
    return code >> 16, (code >> 8) & 255, code & 255


def describe_colours(codes: NDArray[np.int32]) -> str:
    """The most frequent of some colours, with counts of pixels.

    Args:
        codes: Numbers 0xRRGGBB.
    """
    values, counts = np.unique(codes, return_counts=True)
    most = np.argsort(-counts, kind="stable")[:SHOWN]
    listed = [f"{list(decode_colour(int(values[n])))} ({counts[n]} px)" for n in most]
    more = f" and {len(values) - SHOWN} more" if len(values) > SHOWN else ""
    noun = "a colour" if len(values) == 1 else f"{len(values)} colours"
    return f"{noun}: {', '.join(listed)}{more}"
