"""Pictures of label maps."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from foveate.datasets.labels import IGNORE, LabelSet

Image = NDArray[np.uint8]


def draw_overlay(image: Image, ids: Image, labels: LabelSet, *, strength: float = 0.6) -> Image:
    """Lay the colours of train ids (H, W) over an RGB image (H, W, 3); ignored pixels keep the image."""
    colours = labels.palette()[ids]
    mixed = image * (1 - strength) + colours * strength
    out: Image = np.where((ids == IGNORE)[..., None], image, mixed).astype(np.uint8)
    return out


def draw_comparison(image: Image, truth: Image, prediction: Image, labels: LabelSet) -> Image:
    """Image, true and predicted overlay beside each other, with a thin line between."""
    line = np.full((image.shape[0], 4, 3), 255, dtype=np.uint8)
    panels = [image, line, draw_overlay(image, truth, labels), line, draw_overlay(image, prediction, labels)]
    return np.concatenate(panels, axis=1)
