"""Reads label maps from PNG files fast, with a decoder in C++ that is made for them."""

from __future__ import annotations

import ctypes
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foveate.datasets.files.fast_decoding import PNG
from foveate.datasets.files.reading import read_bytes
from foveate.datasets.masks.stored import read_numbers
from foveate.pipeline.scoring.native import native

MOST_PIXELS = 64_000_000  # larger files are left to the other decoder
GREY, PALETTE = 0, 3  # PNG's types of colour


def read_label(path: Path) -> NDArray[Any]:
    """Whole numbers (H, W) of a label map, of any integer type or bool, as `read_numbers` gives them.

    Args:
        path: The file.

    Raises:
        DataError: It is damaged, in colour, lossy (JPEG), too large, or holds fractions.
    """
    pixels = decode_numbers(read_bytes(path))
    return read_numbers(path) if pixels is None else pixels


def decode_numbers(data: bytes) -> NDArray[Any] | None:
    """Numbers (H, W) of a grey or palette PNG, uint8 or uint16; None if it is another file, or is damaged.

    Args:
        data: The content of a file.
    """
    chunks = list(_chunks(data))
    shape = _shape(chunks)
    decoder = None if shape is None else native()
    if shape is None or decoder is None:
        return None
    height, width, step = shape
    pixels = np.empty((height, width), dtype=np.uint8 if step == 1 else np.uint16)
    stream = b"".join(content for name, content in chunks if name == b"IDAT")
    sizes = (ctypes.c_long(size) for size in (len(stream), width * step, height, step))
    failed = decoder.decode_png(stream, *sizes, pixels.ctypes.data_as(ctypes.c_void_p))
    return None if failed else pixels


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Name and content of each chunk, up to one that is incomplete or damaged."""
    place = len(PNG) if data.startswith(PNG) else len(data)
    while place + 12 <= len(data):
        length, name = struct.unpack_from(">I4s", data, place)
        end = place + 8 + length
        if end + 4 > len(data) or zlib.crc32(data[place + 4 : end]) != struct.unpack_from(">I", data, end)[0]:
            return
        yield name, data[place + 8 : end]
        if name == b"IEND":
            return
        place = end + 4


def _shape(chunks: list[tuple[bytes, bytes]]) -> tuple[int, int, int] | None:
    """Height, width and bytes of a pixel of a complete PNG that the decoder takes."""
    if len(chunks) < 3 or chunks[0][0] != b"IHDR" or len(chunks[0][1]) != 13 or chunks[-1][0] != b"IEND":
        return None
    width, height, depth, colours, compression, filters, interlace = struct.unpack(">IIBBBBB", chunks[0][1])
    taken = (depth, colours) in ((8, GREY), (16, GREY), (8, PALETTE)) and compression == filters == interlace == 0
    return (height, width, depth // 8) if taken and 0 < width * height <= MOST_PIXELS else None
