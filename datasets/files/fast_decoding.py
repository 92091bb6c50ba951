"""Fast decoding of the common kinds of PNG and JPEG.

Any other file, and any that may be damaged, is left to the strict reader, which also words the error.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

import cv2
import numpy as np
from jaxtyping import UInt8

from foveate.datasets.files.png import PNG, decode_png

JPEG = b"\xff\xd8\xff"
HARMLESS = {
    b"IDAT",
    b"gAMA",
    b"cHRM",
    b"sRGB",
    b"sBIT",
    b"pHYs",
    b"tIME",
    b"bKGD",
    b"iCCP",
}  # none of them rotates an image
CHANNELS = {0: 1, 2: 3}  # of PNG's colour types grey and RGB
FRAMES = (0xC0, 0xC1)  # JPEG's that have one scan: baseline and extended
SCAN, END = 0xDA, 0xD9
STUFFING = (0x00, 0xFF, *range(0xD0, 0xD8))  # bytes that may follow an 0xFF within a scan
TURNING = {0xE1, 0xEE}  # Exif and XMP may rotate an image, Adobe's marker names its colour space

Shape = tuple[int, int, int]
Pixels = UInt8[np.ndarray, "H W C"]


def decode_plain(data: bytes, max_pixels: int) -> Pixels | None:
    """Pixels of an 8-bit grey (C = 1) or RGB (C = 3) image without rotation; None if it is not one, or is damaged.

    OpenCV decodes a truncated JPEG without an error, so its markers are checked here.

    Args:
        data: The content of an image file.
        max_pixels: None beyond that many, before anything is decoded.
    """
    shape = _png_shape(data) if data.startswith(PNG) else _jpeg_shape(data)
    if shape is None or shape[0] * shape[1] > max_pixels:
        return None
    if data.startswith(PNG) and (found := decode_png(data, max_pixels)) is not None:
        return found.reshape(shape)
    flags = cv2.IMREAD_GRAYSCALE if shape[2] == 1 else cv2.IMREAD_COLOR_RGB
    try:
        pixels = cv2.imdecode(np.frombuffer(data, dtype=np.uint8), flags | cv2.IMREAD_IGNORE_ORIENTATION)
    except cv2.error:
        return None
    return None if pixels is None else np.asarray(pixels, dtype=np.uint8).reshape(shape)


def _png_shape(data: bytes) -> Shape | None:
    """Height, width and channels of a plain, complete PNG."""
    chunks = list(_png_chunks(data))
    if len(chunks) < 3 or chunks[0][0] != b"IHDR" or chunks[-1][0] != b"IEND":
        return None
    width, height, depth, colours = struct.unpack_from(">IIBB", data, chunks[0][1])
    plain = {name for name, _ in chunks[1:-1]} <= HARMLESS and depth == 8 and colours in CHANNELS
    return (height, width, CHANNELS[colours]) if plain else None


def _png_chunks(data: bytes) -> Iterator[tuple[bytes, int]]:
    """Name of each complete chunk, and the position of its data."""
    place = len(PNG)
    while place + 12 <= len(data):
        length, name = struct.unpack_from(">I4s", data, place)
        if place + 12 + length > len(data):
            return
        yield name, place + 8
        if name == b"IEND":
            return
        place += 12 + length


def _jpeg_shape(data: bytes) -> Shape | None:
    """Height, width and channels of a plain JPEG whose single scan is complete."""
    place, shape = 2, None
    while data.startswith(JPEG) and place + 10 < len(data) and data[place] == 0xFF:
        marker, length = data[place + 1], struct.unpack_from(">H", data, place + 2)[0]
        if marker == SCAN:
            return shape if _is_whole_scan(data[place + 2 + length :]) else None
        if marker in TURNING or data[place + 4 : place + 7] == b"MPF":
            return None
        if marker in FRAMES:
            depth, height, width, channels = struct.unpack_from(">BHHB", data, place + 4)
            shape = (height, width, channels) if depth == 8 and channels in CHANNELS.values() else None
        place += 2 + length
    return None


def _is_whole_scan(data: bytes) -> bool:
    """Whether the first marker within compressed pixels is the end of the image."""
    coded = np.frombuffer(data, dtype=np.uint8)
    marks = coded[1:][coded[:-1] == 0xFF]
    marks = marks[~np.isin(marks, STUFFING)]
    return bool(len(marks) and marks[0] == END)
