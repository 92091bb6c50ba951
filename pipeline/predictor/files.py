"""Writes what a predictor says of an image to files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import Float32, UInt8
from numpy.typing import NDArray
from PIL import Image

from foveate.pipeline.files import fitting, replacing
from foveate.pipeline.predictor.results import Segmentation


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


def save_segmentation(result: Segmentation, folder: Path) -> list[Path]:
    """Write `labels/`, `overlays/` and `confidence/` of an image, named after it.

    Args:
        result: The result.
        folder: Created if it does not exist.

    Returns:
        The files.
    """
    name = fitting(f"{Path(result.name).stem}.png")
    regular = result.label_set.to_regular_ids()[result.labels]
    pictures = {
        "labels": Image.fromarray(regular),
        "overlays": result.overlay(),
        "confidence": Image.fromarray(confidence_bytes(result.confidence)),
    }
    return [write_png(picture, folder / kind / name) for kind, picture in pictures.items()]
