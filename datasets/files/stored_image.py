"""Image files exactly as they are stored: any depth, any number of bands, neither turned nor without their alpha."""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from foveate.datasets.errors import DamagedError, DataError
from foveate.datasets.files.arrays import load_array
from foveate.datasets.files.decoding import DEEP_MODES, check_size, opened
from foveate.datasets.files.png import PNG
from foveate.datasets.files.tiff import MAGIC, TiffHeader, read_header, read_values
from foveate.datasets.files.turning import ORIENTATION, UPRIGHT, turned_back

NPY = b"\x93NUMPY"
PNM = re.compile(rb"P[2356](?:\s+|#[^\n]*\n)+\d+(?:\s+|#[^\n]*\n)+\d+(?:\s+|#[^\n]*\n)+(\d{1,5})\s")
HEAD = 1024  # bytes that hold the header of a PNG or PNM
DEPTH_BYTE, GREY_ALPHA = 24, 4  # of a PNG: where its header says the depth; a type of colour
ORIENTATIONS = range(1, 9)
MOST_BANDS = 512  # of an array; one of (C, H, W) has more
WITH_ALPHA = {"RGBA": "RGBA", "RGBa": "RGBA", "PA": "RGBA", "LA": "LA", "La": "LA"}  # mode -> what it is read as
AS_STORED = ("L", "RGB", "F", *DEEP_MODES)
Values = NDArray[Any]


@dataclass(frozen=True)
class Stored:
    """An image as it is stored.

    Attributes:
        values: Values (H, W, C), of any type of numbers.
        orientation: The turn that brings it upright, as EXIF's number.
        alpha: Which of its channels are alpha, from 0.
        nodata: The value that stands for no data.
    """

    values: Values
    orientation: int = UPRIGHT
    alpha: tuple[int, ...] = ()
    nodata: float | None = None


def decode_stored(data: bytes, where: str, *, max_pixels: int, advice: str = "") -> Stored:
    """An image as it is stored.

    Palettes, CMYK and YCbCr are converted to RGB, black and white to 0 and 255; of several pages the first is read.

    Args:
        data: The content of an image file, or of a `.npy` array of (H, W) or (H, W, C).
        where: Its name in messages.
        max_pixels: Larger images are refused.
        advice: What to do about an image that is too large.

    Raises:
        DamagedError: It is damaged, or no image.
        DataError: It is larger than `max_pixels`, or an array of another shape.
    """
    if data.startswith(NPY):
        values = _load_array(data, where)
        check_size(where, (values.shape[0], values.shape[1]), max_pixels, advice)
        return Stored(values)
    header = read_header(io.BytesIO(data)) if data.startswith(MAGIC) else None
    if header is not None and not header.is_common:
        check_size(where, (header.height, header.width), max_pixels, advice)
        return Stored(read_values(data, header, where), header.orientation, header.alpha, header.nodata)
    with opened(data, where, max_pixels, advice=advice) as image:
        image.load()
        return _as_stored(image, data, header)


def _load_array(data: bytes, where: str) -> Values:
    try:
        array: Values = load_array(data)
    except (ValueError, EOFError, OSError) as error:
        raise DamagedError(f"{where}: cannot be read as an array: {error}") from error
    planes = array[..., None] if array.ndim == 2 else array
    if planes.ndim != 3 or planes.dtype.kind not in "buif" or planes.size == 0 or planes.shape[2] > MOST_BANDS:
        raise DataError(f"{where}: an array {array.shape} of {array.dtype}; expected numbers (H, W) or (H, W, C)")
    return planes.astype(np.uint8) if planes.dtype.kind == "b" else planes


def _as_stored(image: Image.Image, data: bytes, header: TiffHeader | None) -> Stored:
    """The pixels of an image that Pillow has decoded, and so checked."""
    if header is None and is_deep(data[:HEAD]):
        return _by_opencv(data, image)
    mode = stored_mode(image.mode)
    values = np.array(image if image.mode == mode else image.convert(mode))
    planes = values[..., None] if values.ndim == 2 else values
    alpha = (planes.shape[2] - 1,) if mode in ("RGBA", "LA") else ()
    if header is None:
        return Stored(planes, orientation_of(image), alpha)
    return Stored(turned_back(planes, header.orientation), header.orientation, alpha)  # Pillow turns TIFF files


def stored_mode(mode: str) -> str:
    """The mode in which an image is read: its own, or RGB, RGBA, L or LA.

    Args:
        mode: Pillow's.
    """
    return WITH_ALPHA.get(mode) or (mode if mode in AS_STORED else "L" if mode == "1" else "RGB")


def orientation_of(image: Image.Image) -> int:
    """EXIF's orientation, 1 where there is none or it cannot be read.

    Args:
        image: An opened image.
    """
    try:
        found = image.getexif().get(ORIENTATION, UPRIGHT)
    except Exception:  # without readable metadata the orientation is unknown
        return UPRIGHT
    return found if found in ORIENTATIONS else UPRIGHT


def is_deep(head: bytes) -> bool:
    """Whether an image is a PNG or PNM of more than 8 bits, whose colours Pillow would cut to 8.

    Args:
        head: The start of the file.
    """
    if head.startswith(PNG):
        return len(head) > DEPTH_BYTE and head[DEPTH_BYTE] == 16
    found = PNM.match(head)
    return found is not None and int(found[1]) > 255


def _by_opencv(data: bytes, image: Image.Image) -> Stored:
    pixels = cv2.imdecode(np.frombuffer(data, dtype=np.uint8), cv2.IMREAD_UNCHANGED)
    values: Values = np.asarray(pixels)
    if pixels is None or values.shape[:2] != (image.height, image.width):
        raise ValueError("OpenCV cannot decode it")  # `opened` makes an error of it that names the file
    if values.ndim == 2:
        return Stored(values[..., None], orientation_of(image))
    order = [0, 3] if data.startswith(PNG) and data[DEPTH_BYTE + 1] == GREY_ALPHA else [2, 1, 0, 3][: values.shape[2]]
    return Stored(values[..., order], orientation_of(image), (len(order) - 1,) if values.shape[2] == 4 else ())
