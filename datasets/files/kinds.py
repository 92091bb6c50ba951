"""What kind of image a file holds, from its header."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from foveate.datasets.errors import DamagedError
from foveate.datasets.files.arrays import map_array
from foveate.datasets.files.png import PNG
from foveate.datasets.files.stored_image import DEPTH_BYTE, GREY_ALPHA, HEAD, NPY, is_deep, orientation_of, stored_mode
from foveate.datasets.files.tiff import MAGIC, TiffHeader, read_header
from foveate.datasets.files.turning import UPRIGHT

BANDS = {"L": 1, "LA": 2, "RGB": 3, "RGBA": 4}
PAGED = ("GIF", "TIFF", "WEBP", "PNG")  # formats of several pages; a second picture in a JPEG is a preview


@dataclass(frozen=True, kw_only=True)
class ImageKind:
    """What the header of an image file says.

    Attributes:
        format: PNG, JPEG, TIFF, NPY ..., as Pillow names it.
        mode: What its colours are: Pillow's mode (L, RGB, RGBA, P, CMYK ...); `bands` of other TIFF files and arrays.
        height: Rows, as stored.
        width: Columns, as stored.
        channels: Values of a pixel, alpha included; 3 of palettes, CMYK and YCbCr, which are read as RGB.
        dtype: Type of the values, such as uint8, uint16, float32.
        alpha: Which of the channels are alpha, from 0.
        orientation: EXIF's; 1 is upright.
        pages: How many images the file holds; the first is read.
        nodata: The value that stands for no data.
    """

    format: str
    mode: str
    height: int
    width: int
    channels: int
    dtype: str = "uint8"
    alpha: tuple[int, ...] = ()
    orientation: int = UPRIGHT
    pages: int = 1
    nodata: float | None = None

    @property
    def depth(self) -> str:
        """Bits of a value, in words: 8-bit, 16-bit, 32-bit float."""
        kind = np.dtype(self.dtype)
        return f"{8 * kind.itemsize}-bit{' float' if kind.kind == 'f' else ''}"

    @property
    def is_deep(self) -> bool:
        """Whether its values are no bytes, so that a range of values is needed to read it."""
        return self.dtype != "uint8"

    def bands_read(self, bands: Sequence[int] | None) -> int:
        """How many channels are read: those asked for, or all but alpha; grey gives three equal ones.

        Args:
            bands: Which are asked for; None for no wish.
        """
        own = self.channels - len(self.alpha) if bands is None else len(bands)
        return 3 if own == 1 and bands is None else own


def image_kind(path: Path) -> ImageKind:
    """What kind of image a file holds; pixels are not decoded.

    Raises:
        DamagedError: The file is missing, or no image.
    """
    try:
        with path.open("rb") as file:
            head = file.read(HEAD)
            file.seek(0)
            header = read_header(file) if head.startswith(MAGIC) else None
        if head.startswith(NPY):
            return _kind_of_array(path)
        if header is not None and not header.is_common:
            return _kind_of_tiff(header)
        return _kind_of_image(path, head, header)
    except FileNotFoundError:
        raise DamagedError(f"{path}: no such file") from None
    except Exception as error:
        raise DamagedError(f"{path}: cannot be read as an image: {type(error).__name__}: {error}") from error


def _kind_of_array(path: Path) -> ImageKind:
    array = map_array(path)
    height, width, *rest = array.shape
    name = "uint8" if array.dtype.kind == "b" else array.dtype.newbyteorder("=").name
    return ImageKind(format="NPY", mode="bands", height=height, width=width, channels=(*rest, 1)[0], dtype=name)


def _kind_of_tiff(header: TiffHeader) -> ImageKind:
    return ImageKind(
        format="TIFF",
        mode="bands",
        height=header.height,
        width=header.width,
        channels=header.samples,
        dtype=header.dtype or "float64",
        alpha=header.alpha,
        orientation=header.orientation,
        pages=header.pages,
        nodata=header.nodata,
    )


def _kind_of_image(path: Path, head: bytes, header: TiffHeader | None) -> ImageKind:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with Image.open(path) as image:
            mode = stored_mode(image.mode)
            deep = is_deep(head)
            if deep and head.startswith(PNG) and head[DEPTH_BYTE + 1] == GREY_ALPHA:
                mode = "LA"
            channels = BANDS.get(mode, 1)
            return ImageKind(
                format=str(image.format),
                mode=image.mode,
                height=image.height,
                width=image.width,
                channels=channels,
                dtype=_dtype(mode, deep),
                alpha=(channels - 1,) if mode in ("LA", "RGBA") else (),
                orientation=_orientation(image) if header is None else header.orientation,
                pages=header.pages if header is not None else _pages(image),
            )


def _orientation(image: Image.Image) -> int:
    """EXIF's orientation, unless it stands behind the pixels of a PNG: Pillow would decode them to look there."""
    late = image.format == "PNG" and not {"exif", "Raw profile type exif"} & image.info.keys()
    return UPRIGHT if late else orientation_of(image)


def _dtype(mode: str, deep: bool) -> str:
    if mode == "F":
        return "float32"
    return "uint8" if mode in BANDS and not deep else "int32" if mode == "I" and not deep else "uint16"


def _pages(image: Image.Image) -> int:
    return int(getattr(image, "n_frames", 1)) if image.format in PAGED else 1
