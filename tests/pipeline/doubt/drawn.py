"""Made-up label maps, and networks that say what a test wants."""

from __future__ import annotations

import numpy as np
import torch

from foveate.pipeline.doubt.maps import Maps, maps_of

SIZE = 60, 90
CLASSES = 4


def label_map(*rectangles: tuple[int, int, int, int, int]) -> np.ndarray:
    """Train ids: 0, with rectangles of class, top, left, bottom and right."""
    label = np.zeros(SIZE, dtype=np.uint8)
    for number, top, left, bottom, right in rectangles:
        label[top:bottom, left:right] = number
    return label


def maps(label: np.ndarray, truth: np.ndarray, sure: float | np.ndarray = 0.9) -> Maps:
    """What a network says that sees the truth, with a probability; the rest is shared by the other classes."""
    sure = np.broadcast_to(np.asarray(sure, dtype=np.float32), label.shape)
    shares = np.repeat(((1 - sure) / (CLASSES - 1))[None], CLASSES, axis=0)
    np.put_along_axis(shares, truth[None].astype(np.int64), sure[None], axis=0)
    return maps_of(torch.from_numpy(shares).log(), torch.from_numpy(label))
