"""A window of a resized image, without resizing the rest of it.

Resizing is periodic: at a scale of k/64, every k-th pixel of the result has the same position relative to a 64th pixel
of the image. A part that begins at such a pixel can be resized by itself and equals that part of the whole resize. So
scales come in steps of 1/64, and at most 127 rows and columns too many are computed. At other scales the whole image is
resized.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import UInt8
from numpy.typing import NDArray

STEPS = 64  # of a scale, between 0 and 1
Size = tuple[int, int]  # height and width
Image = UInt8[np.ndarray, "H W C"]
Mask = UInt8[np.ndarray, "H W"]
ImagePart = UInt8[np.ndarray, "h w C"]
MaskPart = UInt8[np.ndarray, "h w"]


@dataclass(frozen=True)
class Window:
    """Rows and columns of a resized image."""

    top: int
    left: int
    height: int
    width: int


def resized_size(size: Size, scale: float) -> Size:
    """Height and width after resizing, as OpenCV rounds them: to the nearest, halves to the even."""
    height, width = (max(1, round(side * scale)) for side in size)
    return height, width


def fit_scale(size: Size, short_side: int, long_side: int | None = None) -> float:
    """The factor that gives an image a short side, or a long side if that is reached first.

    Args:
        size: Height and width of the image.
        short_side: The shorter side after resizing, in pixels.
        long_side: The longer side's limit; None for none.

    Example:
        >>> fit_scale((600, 800), 512), fit_scale((100, 1000), 512, 2048)
        (0.8533333333333334, 2.048)
    """
    scale = short_side / min(size)
    return scale if long_side is None else min(scale, long_side / max(size))


def resize_window(image: Image, scale: float, window: Window) -> ImagePart:
    """A window of an image that is resized with bilinear interpolation; reads little more than that part of it.

    Each value equals that of the whole resize, or differs by one (4 in 1000 values of a noise image), since OpenCV
    computes positions from the first pixel of its input, in 32 bits.

    Args:
        image: Bytes of any number of channels; may be a view of a file.
        scale: Of both sides.
        window: Lies in the resized image.
    """
    if _same_size(image, scale):
        return image[window.top : window.top + window.height, window.left : window.left + window.width]
    rows, top = _part(window.top, window.height, scale, image.shape[0])
    columns, left = _part(window.left, window.width, scale, image.shape[1])
    part = image[rows, columns]
    if _same_size(part, scale):
        part, top, left = image, window.top, window.left
    return _resize(part, scale)[top : top + window.height, left : left + window.width]


def resize_mask_window(mask: Mask, scale: float, window: Window) -> MaskPart:
    """A window of a mask that is resized by taking the nearest pixel; equal to that window of the whole resize.

    Args:
        mask: Train ids; may be a view of a file.
        scale: Of both sides.
        window: Lies in the resized mask.
    """
    if _same_size(mask, scale):
        return mask[window.top : window.top + window.height, window.left : window.left + window.width]
    rows = _nearest(window.top, window.height, scale, mask.shape[0])
    columns = _nearest(window.left, window.width, scale, mask.shape[1])
    stripes = np.take(mask[rows[0] : rows[-1] + 1], columns, axis=1, mode="clip")
    cut: Mask = np.take(stripes, rows - rows[0], axis=0, mode="clip")
    return cut


def source_pixels(size: Size, scale: float) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The row and the column of a mask that each row and column of its resize are taken from.

    Args:
        size: Height and width of the mask.
        scale: Of both sides.

    Example:
        >>> rows, columns = source_pixels((2, 4), 0.5)
        >>> rows.tolist(), columns.tolist()
        ([0], [0, 2])
    """
    resized = resized_size(size, scale)
    if resized == size:
        return np.arange(size[0], dtype=np.int64), np.arange(size[1], dtype=np.int64)
    rows, columns = (_nearest(0, length, scale, side) for length, side in zip(resized, size, strict=True))
    return rows.astype(np.int64), columns.astype(np.int64)


def _same_size(array: UInt8[np.ndarray, "H W ..."], scale: float) -> bool:
    """Whether a scale is so near to 1 that the size stays: OpenCV then gives a copy."""
    size = array.shape[0], array.shape[1]
    return resized_size(size, scale) == size


def _resize(image: Image, scale: float) -> ImagePart:
    resized = np.asarray(cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_LINEAR), dtype=np.uint8)
    return with_axis(resized, image)


def with_axis(result: UInt8[np.ndarray, "..."], given: UInt8[np.ndarray, "..."]) -> UInt8[np.ndarray, "..."]:
    """What OpenCV made, with the axis of a single channel, which OpenCV drops.

    Args:
        result: Of an operation of OpenCV.
        given: What it was applied to.
    """
    return result if result.ndim == given.ndim else result[..., None]


def _part(start: int, length: int, scale: float, limit: int) -> tuple[slice, int]:
    """The pixels of a side that a stretch of the result is computed from, and where it starts in their resize."""
    steps = scale * STEPS
    if steps != round(steps):
        return slice(0, limit), start
    period = round(steps) // math.gcd(round(steps), STEPS)
    if limit * steps % STEPS == STEPS / 2:  # OpenCV rounds a half to the even neighbour, so the first pixel is even too
        period += period % 2 * period
    begin = (
        max(0, start - math.ceil(scale) - 1) // period * period
    )  # the first pixels are interpolated with their left neighbours
    end = math.ceil((start + length + 0.5) / scale) + 2
    return slice(round(begin / scale), min(limit, end)), start - begin


def _nearest(start: int, length: int, scale: float, limit: int) -> NDArray[np.intp]:
    """The pixel of a side of length `limit` that each pixel of a stretch of the result is taken from, as in OpenCV."""
    places = np.floor(np.arange(start, start + length) * (1 / scale)).clip(0, limit - 1)
    return np.asarray(places, dtype=np.intp)
