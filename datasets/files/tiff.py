"""TIFF files of any depth and number of bands: what their header says, and their values exactly as stored."""

from __future__ import annotations

import io
import logging
import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from foveate.datasets.errors import DamagedError, DataConfigError

MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
BIG = (b"II+\0", b"MM\0+")
WHITE_IS_ZERO, BLACK_IS_ZERO, RGB = 0, 1, 2  # photometric interpretations of plain samples
SAMPLE_FORMATS = {1: "uint", 2: "int", 3: "float"}
ALPHA = (1, 2)  # of the tag ExtraSamples: premultiplied or not; 0 is a band of its own
PILLOW_READS = ("uint1", "uint2", "uint4", "uint8")
OPENCV_READS = ("uint8", "uint16", "int16", "int32", "float32", "float64")
OPENCV_BANDS = ((BLACK_IS_ZERO, 1), (RGB, 3), (RGB, 4))
OPENCV_UNPACKS = (1, 5, 8, 32946)  # compressions: none, LZW, deflate by both of its numbers
TAGS = {"width": 256, "height": 257, "bits": 258, "compression": 259, "photometric": 262, "orientation": 274}
TAGS |= {"samples": 277, "planar": 284, "extra": 338, "format": 339, "nodata": 42113}
PARTS = ((273, 279), (324, 325))  # offsets and lengths of strips, of tiles
MOST_PAGES = 10_000
SILENT = 0  # a level of OpenCV's logging
SUBFILE, COPY = 254, 0b101  # the tag that says what a page is; its bits for a smaller copy and a mask
NEEDED = "pip install 'foveate[tiff]'"
Values = NDArray[Any]
File = io.BufferedReader | io.BytesIO


@dataclass(frozen=True, kw_only=True)
class TiffHeader:
    """What the first page of a TIFF says of itself.

    Attributes:
        height: Rows.
        width: Columns.
        samples: Values of a pixel.
        dtype: The type that holds them, such as uint16; empty where it is none of NumPy's.
        bits: Bits of each as stored, such as 12.
        photometric: How they are meant: 0 and 1 grey, 2 RGB, 3 palette, 5 CMYK, 6 YCbCr.
        alpha: Which of the samples are alpha, from 0.
        compression: Number of the compression.
        separate: Whether each band is stored by itself.
        orientation: As EXIF's.
        nodata: The value that stands for no data (GDAL's tag), if there is one of this type.
        end: Bytes that the file has at least.
        pages: How many images it holds.
        big: Whether it is a BigTIFF.
    """

    height: int
    width: int
    samples: int
    dtype: str
    bits: int
    photometric: int
    alpha: tuple[int, ...]
    compression: int
    separate: bool
    orientation: int
    nodata: float | None
    end: int
    pages: int
    big: bool

    @property
    def is_common(self) -> bool:
        """Whether Pillow reads it without loss: up to 8 bits, in grey, RGB, palette or CMYK, with or without alpha."""
        bands = {WHITE_IS_ZERO: 1, BLACK_IS_ZERO: 1, RGB: 3}.get(self.photometric)
        return self.dtype in PILLOW_READS and bands in (None, self.samples - len(self.alpha))


def read_header(file: File) -> TiffHeader | None:
    """The header of an open TIFF; None if it is none, or cannot be understood.

    Args:
        file: At its start.
    """
    magic = file.read(4)
    if magic not in MAGIC:
        return None
    file.seek(0)
    try:
        start = file.read(16 if magic in BIG else 8)
        directory = ImageFileDirectory_v2(start)
        file.seek(directory.next)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about tags that are not used here
            directory.load(file)
        return _header(directory, 1 + _count_pages(file, start, directory.next), magic in BIG)
    except Exception:  # a damaged one may raise anything; who decodes it says why
        return None


def _count_pages(file: File, start: bytes, place: int) -> int:
    """How many pages follow the first, smaller copies and masks of it aside."""
    seen: set[int] = set()
    count = 0
    reader = ImageFileDirectory_v2(start)
    with suppress(Exception):  # what is damaged behind the first page is not read
        while place and place not in seen and len(seen) < MOST_PAGES:
            file.seek(place)
            reader.load(file)
            seen.add(place)
            count += not int(reader.get(SUBFILE, 0)) & COPY
            place = reader.next
    return count


def _header(directory: ImageFileDirectory_v2, pages: int, big: bool) -> TiffHeader:
    tags = {name: _all(directory, number) for name, number in TAGS.items()}
    samples = int((tags["samples"] or [1])[0])
    bits = set(tags["bits"] or [1])
    kind = SAMPLE_FORMATS.get(int((tags["format"] or [1])[0]), "")
    photometric = int((tags["photometric"] or [BLACK_IS_ZERO])[0])
    extra = [int(one) for one in tags["extra"]]
    dtype = _type_name(kind, max(bits)) if len(bits) == 1 else ""
    return TiffHeader(
        height=int(tags["height"][0]),
        width=int(tags["width"][0]),
        samples=samples,
        dtype=dtype,
        bits=max(bits),
        photometric=photometric,
        alpha=tuple(samples - len(extra) + place for place, what in enumerate(extra) if what in ALPHA),
        compression=int((tags["compression"] or [1])[0]),
        separate=samples > 1 and int((tags["planar"] or [1])[0]) == 2,
        orientation=int((tags["orientation"] or [1])[0]),
        nodata=_nodata(tags["nodata"], dtype),
        end=_end(directory),
        pages=pages,
        big=big,
    )


def _all(directory: ImageFileDirectory_v2, tag: int) -> list[Any]:
    """The values of a tag; none if it is missing."""
    value = directory.get(tag, ())
    return list(value) if isinstance(value, tuple) else [value]


def _type_name(kind: str, bits: int) -> str:
    """NumPy's type that holds samples of so many bits; uint1 to uint4 for fewer than 8."""
    stored = bits if bits <= 4 else 8 * math.ceil(bits / 8)
    return f"{kind}{ {24: 32}.get(stored, stored) }" if kind else ""


def _nodata(values: list[Any], dtype: str) -> float | None:
    with suppress(ValueError, TypeError, OverflowError):
        value = float(str(values[0]).strip("\0 ")) if values else math.nan
        if math.isfinite(value) and float(np.dtype(dtype).type(value)) == value:
            return value
    return None


def _end(directory: ImageFileDirectory_v2) -> int:
    """Where the last strip or tile ends."""
    ends = [0]
    for offsets, lengths in PARTS:
        ends += [a + b for a, b in zip(_all(directory, offsets), _all(directory, lengths), strict=False)]
    return max(ends)


def read_values(data: bytes, header: TiffHeader, where: str) -> Values:
    """The values (H, W, C) of the first page, as stored.

    OpenCV reads grey, RGB and a fourth band; anything else takes tifffile.

    Args:
        data: The content of the file.
        header: Its header.
        where: Its name in messages.

    Raises:
        DamagedError: It is cut short or damaged.
        DataConfigError: A package that reads it is missing.
    """
    if header.end > len(data):
        raise DamagedError(f"{where}: cut short: it has {len(data)} bytes, and its header says {header.end} or more")
    expected = (header.height, header.width, header.samples)
    values = _by_opencv(data) if _opencv_can(header) else None
    if values is None or values.shape != expected:
        values = _by_tifffile(data, where)
    if values.shape != expected:
        raise DamagedError(f"{where}: its header says {expected} (height, width, samples), and it holds {values.shape}")
    if header.photometric == WHITE_IS_ZERO and values.dtype.kind == "u":
        return np.asarray(np.iinfo(values.dtype).max - values)
    return values


def _opencv_can(header: TiffHeader) -> bool:
    """Whether OpenCV gives the values as stored: it turns images, and mixes up bands that are stored separately."""
    return (
        header.dtype in OPENCV_READS
        and header.bits % 8 == 0
        and (header.photometric, header.samples) in OPENCV_BANDS
        and header.compression in OPENCV_UNPACKS
        and header.orientation == 1
        and not header.separate
        and not header.big
    )


def _by_opencv(data: bytes) -> Values | None:
    with _silent():
        values = cv2.imdecode(np.frombuffer(data, dtype=np.uint8), cv2.IMREAD_UNCHANGED)
    if values is None or values.ndim == 2:
        return None if values is None else np.asarray(values)[..., None]
    return np.asarray(values)[..., [2, 1, 0, *range(3, values.shape[2])]]


@contextmanager
def _silent() -> Iterator[None]:
    """No lines of OpenCV on the console: it reports every tag that it does not know, and we raise what fails."""
    logging = getattr(cv2.utils, "logging", cv2)  # before OpenCV 5 the two functions are cv2's own
    before = logging.getLogLevel()
    logging.setLogLevel(SILENT)
    try:
        yield
    except cv2.error as error:
        raise DamagedError(f"OpenCV: {' '.join(str(error).split())}") from error
    finally:
        logging.setLogLevel(before)


def _by_tifffile(data: bytes, where: str) -> Values:
    try:
        import tifffile  # late: an extra, needed for few files
    except ModuleNotFoundError as error:
        raise DataConfigError(f"{where}: OpenCV cannot read this TIFF, and tifffile is missing: {NEEDED}") from error
    logging.getLogger("tifffile").setLevel(logging.CRITICAL)  # what fails is raised
    try:
        with tifffile.TiffFile(io.BytesIO(data)) as file:
            page: Any = file.pages[0]
            values, axes = np.asarray(page.asarray()), str(page.axes)
    except Exception as error:
        if "imagecodecs" in str(error):
            raise DataConfigError(f"{where}: imagecodecs decodes it, and is missing: {NEEDED}") from error
        raise DamagedError(f"{where}: cannot be read as a TIFF: {type(error).__name__}: {error}") from error
    if axes == "SYX":
        values = np.moveaxis(values, 0, 2)
    return values[..., None] if values.ndim == 2 else values
