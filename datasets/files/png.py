"""Decodes the common kinds of PNG with C++ of our own, in less than half the time that libraries take.

Anything unusual, and any file that may be damaged, is left to the libraries, which also word the error.
"""

from __future__ import annotations

import ctypes
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foveate.plugins.ops.native.loading import Library, load_optional

PNG = b"\x89PNG\r\n\x1a\n"
MOST_PIXELS = 64_000_000  # larger files are left to the libraries, which need less memory
GREY, RGB, PALETTE = 0, 2, 3  # PNG's types of colour
TAKEN = {(8, GREY): 1, (8, PALETTE): 1, (16, GREY): 2, (8, RGB): 3}  # depth and colours -> bytes of a pixel
NATIVE = Path(__file__).parent / "native"
DECODER = Library(
    name="png",
    sources=(NATIVE / "png.cpp",),
    headers=(NATIVE / "inflate.h",),
    what="the reader of PNG files",
    instead="slower ones are",
    seconds=3,
)


def native() -> ctypes.CDLL | None:
    """The compiled decoder; None where it is switched off or not available, and libraries decode instead."""
    return load_optional(DECODER)


def decode_png(data: bytes, max_pixels: int = MOST_PIXELS) -> NDArray[Any] | None:
    """What a PNG holds: numbers (H, W), uint8 or uint16, of grey or palette; bytes (H, W, 3) of RGB.

    A palette gives its indices. Checksums are verified: of each chunk, and of the pixels.

    Args:
        data: The content of a file.
        max_pixels: None beyond that many, before anything is decoded.

    Returns:
        None if it is another kind of file, is damaged, or if there is no decoder.
    """
    chunks = list(_chunks(data))
    shape = _shape(chunks, max_pixels)
    decoder = None if shape is None else native()
    if shape is None or decoder is None:
        return None
    height, width, step = shape
    pixels = np.empty((height, width, 3) if step == 3 else (height, width), dtype=np.uint16 if step == 2 else np.uint8)
    stream = b"".join(content for name, content in chunks if name == b"IDAT")
    sizes = (ctypes.c_long(size) for size in (len(stream), width * step, height, step))
    failed = decoder.decode_png(stream, *sizes, pixels.ctypes.data_as(ctypes.c_void_p))
    return None if failed else pixels


def _chunks(data: bytes) -> Iterator[tuple[bytes, memoryview]]:
    """Name and content of each chunk, up to one that is incomplete or damaged."""
    place, whole = len(PNG) if data.startswith(PNG) else len(data), memoryview(data)
    while place + 12 <= len(data):
        length, name = struct.unpack_from(">I4s", data, place)
        end = place + 8 + length
        if end + 4 > len(data) or zlib.crc32(whole[place + 4 : end]) != struct.unpack_from(">I", data, end)[0]:
            return
        yield name, whole[place + 8 : end]
        if name == b"IEND":
            return
        place = end + 4


def _shape(chunks: list[tuple[bytes, memoryview]], max_pixels: int) -> tuple[int, int, int] | None:
    """Height, width and bytes of a pixel of a complete PNG that the decoder takes."""
    if len(chunks) < 3 or chunks[0][0] != b"IHDR" or len(chunks[0][1]) != 13 or chunks[-1][0] != b"IEND":
        return None
    width, height, depth, colours, compression, filters, interlace = struct.unpack(">IIBBBBB", chunks[0][1])
    if (depth, colours) not in TAKEN or compression or filters or interlace:
        return None
    fits = 0 < width * height <= min(max_pixels, MOST_PIXELS)
    return (height, width, TAKEN[depth, colours]) if fits else None
