"""How an image file becomes bytes: which bands, which range of values, which way up."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import numpy as np
from jaxtyping import UInt8

from foveate.datasets.errors import DataConfigError, DataError
from foveate.datasets.files.decoding import MAX_PIXELS
from foveate.datasets.files.fast_decoding import decode_plain
from foveate.datasets.files.reading import read_bytes
from foveate.datasets.files.stored_image import Stored, decode_stored
from foveate.datasets.files.turning import UPRIGHT, Exif, turned
from foveate.datasets.files.value_range import count_outside, to_bytes

Pixels = UInt8[np.ndarray, "H W C"]
RGB = 3


@dataclass(frozen=True)
class ImageReader:
    """Reads image files as bytes; nothing is cut, dropped or turned unless it says so.

    Without bands, alpha is dropped and grey becomes three equal channels.

    Args:
        bands: Which bands are read, in this order, counted from 1 as by GDAL and rasterio; alpha counts as one. None
            reads all but alpha.
        range: The values that become 0 and 255; those between are mapped linearly, those outside become 0 or 255, NaN
            and no data 0. Needed for values of more than 8 bits.
        exif: Whether an orientation in the file's metadata turns the image: `apply`, `ignore`, or `auto`, which takes
            what fits the label map and applies it where there is none.
        max_pixels: Larger images are refused.
        channels: How many channels each image must give; None for any.

    Raises:
        DataConfigError: An option is out of range.

    Example:
        >>> ImageReader(bands=(4, 3, 2), range=(0, 3000)).key
        b'bands (4, 3, 2), range (0.0, 3000.0)'
    """

    bands: tuple[int, ...] | None = None
    range: tuple[float, float] | None = None
    exif: Exif = "auto"
    max_pixels: int = MAX_PIXELS
    channels: int | None = None

    def __post_init__(self) -> None:
        if self.bands is not None:
            object.__setattr__(self, "bands", tuple(self.bands))
        if self.range is not None:
            object.__setattr__(self, "range", tuple(map(float, self.range)))
        if self.bands is not None and (not self.bands or min(self.bands) < 1):
            raise DataConfigError(f"bands are numbers of channels, counted from 1, not {list(self.bands)}")
        if self.range is not None and not self.range[0] < self.range[1]:
            raise DataConfigError(f"range is a lower and a higher value, such as [0, 10000], not {list(self.range)}")
        if self.exif not in get_args(Exif):
            raise DataConfigError(f"exif is {', '.join(get_args(Exif))}, not {self.exif!r}")
        if self.max_pixels < 1:
            raise DataConfigError(f"max_pixels is at least 1, not {self.max_pixels}")

    @property
    def key(self) -> bytes:
        """Bytes that differ between readers that give different pixels; empty for the default."""
        exif = None if self.exif == "auto" else self.exif
        channels = None if self.channels == RGB or self.bands else self.channels
        said: dict[str, object] = {"bands": self.bands, "range": self.range, "exif": exif, "channels": channels}
        return ", ".join(f"{name} {value}" for name, value in said.items() if value is not None).encode()

    def read(self, path: Path) -> Pixels:
        """An image, the right way up unless EXIF is to be ignored.

        Args:
            path: An image file, or a `.npy` array of (H, W) or (H, W, C).

        Raises:
            DamagedError: It is missing, damaged or no image.
            DataError: It is too large, or has other bands than asked for.
            DataConfigError: It holds more than 8 bits and no range is given.
        """
        pixels, orientation = self.load(path)
        return np.ascontiguousarray(turned(pixels, orientation))

    def load(self, path: Path) -> tuple[Pixels, int]:
        """An image as it is stored, and the orientation by which it may be turned; 1 where EXIF is to be ignored.

        Args:
            path: See `read`.

        Raises:
            DataError: See `read`.
        """
        return self.decode(read_bytes(path), path)

    def decode(self, data: bytes, path: Path) -> tuple[Pixels, int]:
        """The same for the content of a file.

        Args:
            data: The content.
            path: Its name in messages.

        Raises:
            DataError: See `read`.
        """
        plain = decode_plain(data, self.max_pixels)
        if plain is not None:
            return self.to_pixels(Stored(plain), path), UPRIGHT
        stored = decode_stored(data, str(path), max_pixels=self.max_pixels, advice="; raise it by --data.max_pixels N")
        return self.to_pixels(stored, path), UPRIGHT if self.exif == "ignore" else stored.orientation

    def load_values(self, path: Path) -> Stored:
        """The values of the bands that are read, before they become bytes.

        Args:
            path: See `read`.

        Raises:
            DataError: See `read`.
        """
        return self._choose(decode_stored(read_bytes(path), str(path), max_pixels=self.max_pixels), path)

    def share_outside(self, path: Path) -> float:
        """Share, 0 to 1, of the values of the bands that are read that lie outside the range, and are clipped.

        Args:
            path: See `read`.

        Raises:
            DataError: See `read`.
        """
        if self.range is None:
            return 0.0
        stored = self.load_values(path)
        return count_outside(stored.values, self.range, stored.nodata) / max(1, stored.values.size)

    def to_pixels(self, stored: Stored, path: Path) -> Pixels:
        """The bytes of an image as it is stored, or of a part of one.

        Args:
            stored: Its values.
            path: Its file, for messages.

        Raises:
            DataError: See `read`.
        """
        chosen = self._choose(stored, path)
        pixels = self._to_bytes(chosen, path)
        if pixels.shape[2] == 1 and self.bands is None:
            pixels = np.repeat(pixels, RGB, axis=2)
        if self.channels is not None and self.channels != pixels.shape[2]:
            raise DataError(
                f"{path}: has {pixels.shape[2]} channels, not {self.channels} as the other images or the network; "
                f"choose with --data.bands, such as {[*range_of(self.channels + 1)][1:]}"
            )
        return pixels

    def _choose(self, stored: Stored, path: Path) -> Stored:
        """The bands that are asked for, or all but alpha."""
        count = stored.values.shape[2]
        if self.bands is None:
            wanted = [channel for channel in range_of(count) if channel not in stored.alpha]
        else:
            wanted = [band - 1 for band in self.bands]
        if max(wanted, default=-1) >= count:
            raise DataError(f"{path}: has {count} bands, and --data.bands asks for number {max(wanted) + 1}")
        if wanted == list(range_of(count)):
            return stored
        return Stored(stored.values[..., wanted], stored.orientation, (), stored.nodata)

    def _to_bytes(self, stored: Stored, path: Path) -> Pixels:
        if self.range is not None:
            return to_bytes(stored.values, self.range, stored.nodata)
        if stored.values.dtype != np.uint8:
            raise DataConfigError(
                f"{path}: holds {stored.values.dtype} values, {stored.values.min():.6g} to {stored.values.max():.6g}, "
                "which do not fit a byte: give --data.range [LOW, HIGH], the values that become 0 and 255"
            )
        return stored.values


def range_of(count: int) -> range:
    """The numbers from 0; `range` is an option's name in this file.

    Args:
        count: How many.
    """
    return range(count)
