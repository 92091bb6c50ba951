"""Encoded images in memory, decoded strictly: a damaged one is an error that names it, never half an image."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageOps

from foveate.datasets.errors import DamagedError, DataError, TooLargeError
from foveate.datasets.files.fast_decoding import decode_plain

MAX_PIXELS = 64_000_000  # larger images are refused by their header, before they are decoded
DEEP_MODES = ("I;16", "I;16B", "I;16L", "I;16N", "I")
LABEL_MODES = ("1", "L", "P", *DEEP_MODES)  # one whole number per pixel


def decode_image(data: bytes, where: str, *, max_pixels: int = MAX_PIXELS) -> UInt8[np.ndarray, "H W 3"]:
    """An image as RGB bytes, rotated by its EXIF orientation.

    Grey becomes three equal channels, alpha is dropped, 16 bits keep their upper 8, and the first frame of an animation
    is taken.

    Args:
        data: The content of an image file.
        where: Its name in messages.
        max_pixels: Larger images are refused.

    Raises:
        DataError: It is damaged, no image, or larger than `max_pixels`.
    """
    pixels = decode_plain(data, max_pixels)
    if pixels is not None:
        return pixels if pixels.shape[2] == 3 else np.repeat(pixels, 3, axis=2)
    with opened(data, where, max_pixels) as image:
        image.load()
        _turn_upright(image)
        if image.mode in DEEP_MODES:
            grey = (np.asarray(image).astype(np.int64) >> 8).clip(0, 255).astype(np.uint8)
            return np.repeat(grey[..., None], 3, axis=2)
        return np.array(image if image.mode == "RGB" else image.convert("RGB"))


@contextmanager
def opened(data: bytes, where: str, max_pixels: int, *, advice: str = "") -> Iterator[Image.Image]:
    """An image whose header was read; any error of Pillow, now or while it is decoded, becomes a DamagedError.

    Args:
        data: The content of an image file.
        where: Its name in messages.
        max_pixels: Larger images are refused.
        advice: What to do about an image that is too large.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about odd metadata; decoding checks the pixels
            raise_limit(max_pixels)
            with Image.open(io.BytesIO(data)) as image:
                check_size(where, (image.size[1], image.size[0]), max_pixels, advice)
                yield image
    except DataError:
        raise
    except Exception as error:
        raise DamagedError(f"{where}: cannot be read as an image: {type(error).__name__}: {error}") from error


def raise_limit(max_pixels: int) -> None:
    """Let Pillow open images of so many pixels too; it has a limit of its own, in each process.

    Args:
        max_pixels: How many are allowed.
    """
    if Image.MAX_IMAGE_PIXELS is not None and max_pixels > 2 * Image.MAX_IMAGE_PIXELS:
        Image.MAX_IMAGE_PIXELS = max_pixels


def check_size(where: str, size: tuple[int, int], max_pixels: int, advice: str = "") -> None:
    """Refuse an image that is too large.

    Args:
        where: Its name in messages.
        size: Height and width.
        max_pixels: How many are allowed.
        advice: What to do about it.

    Raises:
        TooLargeError: It has more pixels.
    """
    height, width = size
    if width * height > max_pixels:
        raise TooLargeError(
            f"{where}: {height} x {width} is more than the {max_pixels / 1e6:.0f} million pixels allowed{advice}"
        )


def _turn_upright(image: Image.Image) -> None:
    try:
        ImageOps.exif_transpose(image, in_place=True)
    except Exception:  # without readable metadata the orientation is unknown
        return
