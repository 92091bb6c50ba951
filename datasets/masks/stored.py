"""What a mask file holds, exactly as it is stored: whole numbers or colours."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foveate.datasets.errors import DamagedError, DataError
from foveate.datasets.files.arrays import load_array
from foveate.datasets.files.decoding import LABEL_MODES, opened
from foveate.datasets.files.fast_decoding import decode_plain
from foveate.datasets.files.png import decode_png
from foveate.datasets.files.reading import read_bytes

Stored = NDArray[Any]
COLOUR_MODES = ("RGB", "RGBA", "CMYK", "YCbCr", "LA", "La", "PA", "RGBX", "HSV", "LAB")
MAX_PIXELS = 1_000_000_000  # of a mask, whose image was read before, under the limit that the user may set
JPEG = b"\xff\xd8\xff"
NPY = b"\x93NUMPY"


def read_numbers(path: Path, *, max_pixels: int = MAX_PIXELS) -> Stored:
    """Whole numbers (H, W) of a mask, of any integer type or bool.

    Read are grey images of 1 to 32 bits, palette images (their indices, not their colours), RGB images whose three
    channels are equal, floats that are whole numbers, and `.npy` arrays.

    Args:
        path: The file.
        max_pixels: Larger files are refused.

    Raises:
        DataError: It is damaged, in colour, lossy (JPEG), too large, or holds fractions.
    """
    return as_numbers(read_stored(path, max_pixels=max_pixels), path)


def read_stored(path: Path, *, max_pixels: int = MAX_PIXELS) -> Stored:
    """The array (H, W) or (H, W, C) of a mask file as it is; a palette image gives its indices.

    Args:
        path: The file.
        max_pixels: Larger files are refused.

    Raises:
        DataError: It is damaged, lossy (JPEG), or too large.
    """
    data = read_bytes(path)
    if data.startswith(NPY):
        return _load_array(data, path, max_pixels)
    _refuse_lossy(data, path)
    pixels = decode_png(data, max_pixels)  # also of palettes and 16 bits
    pixels = decode_plain(data, max_pixels) if pixels is None else pixels
    return _decode(data, path, max_pixels) if pixels is None else pixels


def read_pixels(path: Path, *, max_pixels: int = MAX_PIXELS, lossy: bool = False) -> Stored:
    """What a mask holds, (H, W) numbers or (H, W, 3) RGB bytes; a palette image gives its colours.

    Args:
        path: The file.
        max_pixels: Larger files are refused.
        lossy: Whether JPEG files are accepted.

    Raises:
        DataError: It is damaged, too large, or lossy.
    """
    data = read_bytes(path)
    if data.startswith(NPY):
        return _load_array(data, path, max_pixels)
    if not lossy:
        _refuse_lossy(data, path)
    pixels = decode_plain(data, max_pixels)
    if pixels is not None:
        return pixels if pixels.shape[2] == 3 else pixels[..., 0]
    with opened(data, str(path), max_pixels) as image:
        image.load()
        coloured = image.mode == "P" or image.mode in COLOUR_MODES
        return np.asarray(image.convert("RGBA").convert("RGB") if coloured else image)


def as_numbers(stored: Stored, path: Path) -> Stored:
    """Whole numbers (H, W) of an array that a mask file holds.

    Args:
        stored: Numbers (H, W) or (H, W, C), of any type.
        path: The file, for messages.

    Raises:
        DataError: It is in colour, has another shape, or holds fractions, infinities or negative numbers.
    """
    grey = _one_plane(stored, path)
    if grey.dtype.kind in "biu":
        return grey
    if grey.dtype.kind != "f":
        raise DataError(f"{path}: a mask of {grey.dtype}; expected whole numbers")
    whole = np.isfinite(grey) & (grey == np.round(grey))
    if not whole.all():
        share = 100 * (1 - whole.mean())
        raise DataError(
            f"{path}: a mask with fractions, such as {grey[~whole].flat[0]:.4g} ({share:.1f} % of the pixels); "
            "expected whole numbers. Are these probabilities, or was the mask resized?"
        )
    return grey.astype(np.int64)


def _one_plane(stored: Stored, path: Path) -> Stored:
    if stored.ndim == 2:
        return stored
    if stored.ndim != 3 or stored.size == 0:
        raise DataError(f"{path}: a mask of the shape {stored.shape}; expected height x width")
    colours = stored[..., :3] if stored.shape[2] == 4 else stored
    if all(np.array_equal(colours[..., 0], colours[..., channel]) for channel in range(1, colours.shape[2])):
        return stored[..., 0]
    raise DataError(
        f"{path}: a mask in colour; expected one whole number per pixel, grey or palette. For colours write a "
        "classes.yaml with `masks: colours` (foveate data classes ROOT --write proposes one)"
    )


def _decode(data: bytes, path: Path, max_pixels: int) -> Stored:
    with opened(data, str(path), max_pixels) as image:
        image.load()
        if image.mode in (*LABEL_MODES, "F"):
            return np.asarray(image)
        return np.asarray(image.convert("RGBA"))


def _refuse_lossy(data: bytes, path: Path) -> None:
    if data.startswith(JPEG):
        raise DataError(
            f"{path}: a mask stored as JPEG, whose compression changes labels at every edge; store masks as PNG. If it "
            "holds black and white only: --data.masks binary"
        )


def _load_array(data: bytes, path: Path, max_pixels: int) -> Stored:
    try:
        array: Stored = load_array(data)
    except (ValueError, EOFError, OSError) as error:
        raise DamagedError(f"{path}: cannot be read as an array: {error}") from error
    if array.ndim not in (2, 3) or array.shape[0] * array.shape[1] > max_pixels:
        raise DataError(f"{path}: an array of the shape {array.shape}; expected height x width, up to {max_pixels}")
    return array
