"""One image and its mask as plain bytes in a file; any part can be read without the rest.

A header of one memory page holds size, origin and checksum; then come the image's rows and the mask's.
"""

from __future__ import annotations

import json
import os
import zlib
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from foveate.datasets.augment.resizing import Image, Mask
from foveate.datasets.errors import DataError
from foveate.datasets.files.writing import replacing

FORMAT = 1  # version; raise it when older files cannot be read
HEADER = 4096  # bytes: the pixels begin at a memory page
RGB = 3  # channels where a header names no number


@dataclass(frozen=True, kw_only=True)
class Header:
    """What is known about a packed pair without reading its pixels.

    Attributes:
        height: Rows.
        width: Columns.
        origin: Size and time of change of the files that it was made from.
        checksum: CRC-32 of the pixels.
        channels: Bytes of a pixel of the image.
        format: Version of the file format.
    """

    height: int
    width: int
    origin: str
    checksum: int
    channels: int = RGB
    format: int = FORMAT

    @property
    def file_size(self) -> int:
        """Bytes of the whole file."""
        return packed_size(self.height, self.width, self.channels)


def packed_size(height: int, width: int, channels: int = RGB) -> int:
    """Bytes of a packed pair.

    Args:
        height: Rows.
        width: Columns.
        channels: Of the image; the mask takes another byte a pixel.
    """
    return HEADER + height * width * (channels + 1)


def write_packed(path: Path, image: Image, mask: Mask, origin: str) -> None:
    """Write a pair as a whole or not at all.

    Args:
        path: The file.
        image: Bytes (H, W, C).
        mask: Train ids.
        origin: See Header.
    """
    parts = [np.ascontiguousarray(image).data, np.ascontiguousarray(mask).data]
    checksum = zlib.crc32(parts[1], zlib.crc32(parts[0]))
    height, width, channels = image.shape
    header = Header(height=height, width=width, origin=origin, checksum=checksum, channels=channels)
    with replacing(path, flush=False) as draft, draft.open("wb") as file:
        file.write(json.dumps(asdict(header)).encode().ljust(HEADER))
        for part in parts:
            file.write(part)


def read_header(path: Path) -> Header | None:
    """The header of a packed pair; None if the file is missing, cut short, or of another format."""
    try:
        with path.open("rb") as file:
            header = Header(**json.loads(file.read(HEADER)))
            size = os.fstat(file.fileno()).st_size
    except (OSError, ValueError, TypeError):
        return None
    return header if (header.format, header.file_size) == (FORMAT, size) else None


def open_packed(path: Path) -> tuple[Image, Mask]:
    """Image and mask as read-only views of the file; only the parts that are used are read.

    Raises:
        DataError: The file is missing or no packed pair.
    """
    header = read_header(path)
    if header is None:
        raise DataError(f"{path}: no packed image, or one that was removed; run foveate data pack again")
    height, width, channels = header.height, header.width, header.channels
    pixels = np.asarray(np.memmap(path, dtype=np.uint8, mode="r", offset=HEADER))
    split = height * width * channels
    return pixels[:split].reshape(height, width, channels), pixels[split:].reshape(height, width)


def is_intact(path: Path) -> bool:
    """Whether a packed pair's pixels are those that were written; reads them all."""
    header = read_header(path)
    if header is None:
        return False
    return zlib.crc32(np.memmap(path, dtype=np.uint8, mode="r", offset=HEADER).data) == header.checksum
