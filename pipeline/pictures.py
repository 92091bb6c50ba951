"""Pictures as PNG files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import Float32, UInt8
from numpy.typing import NDArray
from PIL import Image

from foveate.pipeline.files import replacing


def write_png(picture: Image.Image, path: Path) -> Path:
    """Write a PNG as a whole or not at all.

    Args:
        picture: The picture.
        path: The file.
    """
    with replacing(path, flush=False) as draft:
        picture.save(draft, format="PNG")
    return path


def confidence_bytes(confidence: Float32[np.ndarray, "H W"]) -> UInt8[np.ndarray, "H W"]:
    """Confidences from 0 to 1 as bytes from 0 to 255.

    Args:
        confidence: Of each pixel.
    """
    shares: NDArray[np.float32] = np.rint(confidence * 255)
    return shares.clip(0, 255).astype(np.uint8)


def indexed(train_ids: UInt8[np.ndarray, "H W"], palette: UInt8[np.ndarray, "256 3"]) -> Image.Image:
    """Train ids as a picture of mode P, which image viewers show in the colours of the classes.

    Args:
        train_ids: Of each pixel.
        palette: Colours, see `LabelSet.palette`.
    """
    picture = Image.frombytes("P", train_ids.shape[::-1], np.ascontiguousarray(train_ids).tobytes())
    picture.putpalette(palette.tobytes(), "RGB")
    return picture
