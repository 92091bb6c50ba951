"""Photometric distortion, in as few passes over the pixels as possible."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

import cv2
import numpy as np

from foveate.datasets.augment.resizing import Image, with_axis
from foveate.datasets.labels import Table

RGB = 3  # channels
LEVELS: Table = np.arange(256, dtype=np.uint8)


@dataclass(frozen=True, kw_only=True)
class Distortion:
    """A change of colours; None leaves a part of it out.

    Attributes:
        brightness: Added to each channel, of 255.
        contrast: Factor of each channel.
        contrast_first: Whether contrast comes before saturation and hue.
        saturation: Factor of the saturation.
        hue: Added to the hue, of 180.
    """

    brightness: float | None = None
    contrast: float | None = None
    contrast_first: bool = True
    saturation: float | None = None
    hue: float | None = None

    def __call__(self, image: Image) -> Image:
        """A distorted copy of bytes (H, W, C); saturation and hue change RGB (C = 3) only."""
        before = _linear(1.0, self.brightness or 0.0)
        after = _linear(self.contrast or 1.0, 0.0)
        if image.shape[2] != RGB or (self.saturation is None and self.hue is None):
            return _look_up(image, after[before])
        if self.contrast_first:
            before, after = after[before], LEVELS
        hsv = cv2.cvtColor(_look_up(image, before), cv2.COLOR_RGB2HSV)
        if self.hue is not None:
            _change(hsv, 0, (LEVELS.astype(int) + round(self.hue)) % 180)
        if self.saturation is not None:
            _change(hsv, 1, _linear(self.saturation, 0.0))
        return _look_up(np.asarray(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB), dtype=np.uint8), after)


def draw_distortion(random: Random) -> Distortion:
    """Brightness by up to 32, contrast and saturation by 0.5-1.5, hue by up to 18, each half of the time.

    Contrast comes before or after saturation and hue, with equal probability.

    Source:
        Liu et al. 2016, SSD (arXiv:1512.02325), whose ranges the official recipe of SegNeXt uses.
    """

    def maybe(low: float, high: float) -> float | None:
        return random.uniform(low, high) if random.random() < 0.5 else None

    return Distortion(
        brightness=maybe(-32, 32),
        contrast=maybe(0.5, 1.5),
        contrast_first=random.random() < 0.5,
        saturation=maybe(0.5, 1.5),
        hue=maybe(-18, 18),
    )


def _linear(gain: float, offset: float) -> Table:
    return (LEVELS * np.float64(gain) + offset).clip(0, 255).astype(np.uint8)


def _look_up(image: Image, table: Table) -> Image:
    if np.array_equal(table, LEVELS):
        return image
    return with_axis(np.asarray(cv2.LUT(image, table), dtype=np.uint8), image)


def _change(image: np.ndarray, channel: int, table: np.ndarray) -> None:
    """Replace one channel by its values in a table, in place: a table for all three is four times as slow in OpenCV."""
    plane = cv2.LUT(cv2.extractChannel(image, channel), table.astype(np.uint8))
    cv2.insertChannel(plane, image, channel)
