"""Reduces large images and their labels to the size of a picture, band by band."""

from __future__ import annotations

import math
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from foveate.pipeline.callbacks.drawing import SIDE, Pixels
from foveate.pipeline.callbacks.sample_drawer import pixels_of
from foveate.pipeline.models.upsampling import Rows


def reduce_pair(image: Rows | Tensor, ids: NDArray[Any], *, side: int = 2 * SIDE) -> tuple[Pixels, NDArray[Any]]:
    """An image and its train ids, reduced by an integer factor so that no side is longer than asked for.

    Pixels are averaged, of train ids each first one of a square is taken.

    Args:
        image: Bytes (1, C, H, W).
        ids: Train ids (H, W).
        side: Longest side of the result, in pixels.

    Returns:
        RGB (h, w, 3) and train ids (h, w).
    """
    height, width = ids.shape
    factor = math.ceil(max(height, width) / side)
    rows, columns = max(1, height // factor), max(1, width // factor)
    small: Pixels = np.empty((rows, columns, 3), dtype=np.uint8)
    for row in range(rows):
        top = row * factor
        band = image[..., slice(top, min(top + factor, height)), slice(0, min(columns * factor, width))]
        small[row] = cv2.resize(pixels_of(band[0]), (columns, 1), interpolation=cv2.INTER_AREA)[0]
    return small, np.ascontiguousarray(ids[::factor, ::factor][:rows, :columns])
