"""What the header of an image file says; no pixel is decoded."""

from __future__ import annotations

import struct
import warnings
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image

from foveate.datasets.errors import DataError

ORIENTATION = 0x0112
NPY = b"\x93NUMPY"
PNG = b"\x89PNG\r\n\x1a\n"
HEAD = 4096
CHANNELS = {"1": 1, "L": 1, "P": 3, "LA": 2, "PA": 4, "RGBA": 4, "CMYK": 4, "RGB": 3, "YCbCr": 3}
DEEP = {"I;16": "uint16", "I;16B": "uint16", "I;16L": "uint16", "I": "int32", "F": "float32"}
PAGED = ("GIF", "TIFF", "WEBP", "PNG")
ALPHA = ("LA", "PA", "RGBA")


@dataclass(frozen=True)
class Header:
    """What a header says.

    Attributes:
        format: PNG, JPEG, TIFF, NPY ..., as Pillow names it.
        mode: Pillow's mode, or `bands`.
        channels: Values of a pixel, with alpha.
        dtype: Their type.
        alpha: Whether one of them is alpha.
        orientation: EXIF's; 1 is upright.
        pages: Images in the file.
    """

    format: str
    mode: str
    channels: int
    dtype: str = "uint8"
    alpha: bool = False
    orientation: int = 1
    pages: int = 1


_one = lru_cache(maxsize=4096)(Header)  # many files share one header


def read_header(path: Path) -> tuple[Header, tuple[int, int]]:
    """The header of an image file, and height and width as they are stored.

    Args:
        path: The file.

    Raises:
        DataError: It is missing, or no image.
    """
    try:
        with path.open("rb") as file:
            head = file.read(HEAD)
        if head.startswith(NPY):
            array = np.load(path, mmap_mode="r", allow_pickle=False)
            height, width, *rest = array.shape
            return _one("NPY", "bands", (*rest, 1)[0], array.dtype.newbyteorder("=").name), (height, width)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about odd metadata
            with Image.open(path) as image:
                return _header_of(image, head), (image.height, image.width)
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except Exception as error:
        raise DataError(f"{path}: cannot be read as an image: {type(error).__name__}: {error}") from error


def _header_of(image: Image.Image, head: bytes) -> Header:
    name, mode = str(image.format), image.mode
    dtype = DEEP.get(mode, "uint8")
    if head.startswith(PNG) and struct.unpack_from(">B", head, 24)[0] == 16:
        dtype = "uint16"
    pages = int(getattr(image, "n_frames", 1)) if name in PAGED else 1
    return _one(name, mode, CHANNELS.get(mode, 1), dtype, mode in ALPHA, _orientation(image, head), pages)


def _orientation(image: Image.Image, head: bytes) -> int:
    """EXIF's orientation; of a PNG without EXIF nothing is asked, since Pillow would decode it."""
    if head.startswith(PNG) and b"eXIf" not in head:
        return 1
    try:
        found = image.getexif().get(ORIENTATION, 1)
    except Exception:  # without readable metadata the orientation is unknown
        return 1
    return int(found) if found in range(1, 9) else 1
