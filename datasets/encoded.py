"""Images that are encoded bytes in memory, read as strictly as files are."""

from __future__ import annotations

import io
import warnings
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from foveate.datasets.errors import DataError
from foveate.datasets.reading import DEEP_MODES, MAX_PIXELS, _check_size, _upright


def decode_image(data: bytes, where: str, *, max_pixels: int = MAX_PIXELS) -> UInt8[np.ndarray, "H W 3"]:
    """An image as RGB bytes, by the rules of `read_image`.

    Args:
        data: The content of an image file.
        where: What to call it in messages.
        max_pixels: Larger images are refused.

    Raises:
        DataError: It is damaged, no image, or larger than `max_pixels`.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of odd metadata; the pixels are checked by decoding them
            with Image.open(io.BytesIO(data)) as image:
                _check_size(Path(where), image.size, max_pixels)
                image.load()
                upright = _upright(image)
    except DataError:
        raise
    except Exception as error:
        raise DataError(f"{where}: cannot be read as an image: {type(error).__name__}: {error}") from error
    if upright.mode in DEEP_MODES:
        grey = (np.asarray(upright).astype(np.int64) >> 8).clip(0, 255).astype(np.uint8)
        return np.repeat(grey[..., None], 3, axis=2)
    return np.array(upright.convert("RGB"))
