"""The official training augmentation of SegNeXt, in albumentations' terms.

Order and figures: resize by 0.5-2, crop in which no class covers over 75 % of the labelled pixels, flip, photometric
distortion; padding is black and ignored. albumentations meets us in this file only.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # its import asks the network for a newer version

import albumentations as A
import cv2

from foveate.datasets.labels import IGNORE

TRIES = 10
Image = NDArray[np.uint8]
Size = tuple[int, int]


class CategoryCrop(A.DualTransform):  # type: ignore[misc]
    """Crop to a size, trying again while one class covers too much of the labelled pixels.

    Args:
        size: Height and width of the crop; the image is at least as large.
        max_ratio: The largest share of the labelled pixels that one class may have; 1 takes the first try.
    """

    def __init__(self, size: Size, *, max_ratio: float = 0.75) -> None:
        super().__init__(p=1.0)
        self.size = size
        self.max_ratio = max_ratio

    def get_params_dependent_on_data(self, params: dict[str, Any], data: dict[str, Any]) -> dict[str, int]:
        """Draw the upper left corner."""
        height, width = params["shape"][:2]
        for _ in range(TRIES):
            top = self.py_random.randint(0, height - self.size[0])
            left = self.py_random.randint(0, width - self.size[1])
            if self.max_ratio >= 1 or self._is_varied(self._cut(data["mask"], top, left)):
                break
        return {"top": top, "left": left}

    def apply(self, img: Image, top: int, left: int, **_: Any) -> Image:
        """Cut the window out of an image, or out of a mask."""
        return self._cut(img, top, left)

    def _cut(self, img: Image, top: int, left: int) -> Image:
        return img[top : top + self.size[0], left : left + self.size[1]]

    def _is_varied(self, mask: Image) -> bool:
        counts = np.bincount(mask.ravel(), minlength=256)[:IGNORE]
        return bool(np.count_nonzero(counts) > 1 and counts.max() / counts.sum() < self.max_ratio)


class PhotometricDistortion(A.ImageOnlyTransform):  # type: ignore[misc]
    """Brightness by up to 32, contrast and saturation by 0.5-1.5, hue by up to 18 (of 180), each half of the time.

    Contrast comes before or after saturation and hue, as chance has it.
    """

    def __init__(self) -> None:
        super().__init__(p=1.0)

    def get_params(self) -> dict[str, Any]:
        """Draw each change; None leaves it out."""

        def maybe(low: float, high: float) -> float | None:
            return self.py_random.uniform(low, high) if self.py_random.random() < 0.5 else None

        return {
            "brightness": maybe(-32, 32),
            "contrast": maybe(0.5, 1.5),
            "contrast_first": self.py_random.random() < 0.5,
            "saturation": maybe(0.5, 1.5),
            "hue": maybe(-18, 18),
        }

    def apply(
        self,
        img: Image,
        brightness: float | None,
        contrast: float | None,
        contrast_first: bool,
        saturation: float | None,
        hue: float | None,
        **_: Any,
    ) -> Image:
        """Distort RGB bytes (H, W, 3)."""
        if brightness is not None:
            img = _linear(img, 1.0, brightness)
        if contrast is not None and contrast_first:
            img = _linear(img, contrast, 0.0)
        if saturation is not None or hue is not None:
            img = _shift_hsv(img, saturation or 1.0, round(hue or 0))
        if contrast is not None and not contrast_first:
            img = _linear(img, contrast, 0.0)
        return img


def _linear(img: Image, gain: float, offset: float) -> Image:
    table = (np.arange(256) * gain + offset).clip(0, 255).astype(np.uint8)
    return np.asarray(cv2.LUT(img, table), dtype=np.uint8)


def _shift_hsv(img: Image, saturation: float, hue: int) -> Image:
    hsv = cv2.cvtColor(img, cv2.COLOR_RGB2HSV)
    levels = np.arange(256)
    table = np.stack([(levels + hue) % 180, (levels * saturation).clip(0, 255), levels], axis=1).astype(np.uint8)
    return np.asarray(cv2.cvtColor(cv2.LUT(hsv, table[None]), cv2.COLOR_HSV2RGB), dtype=np.uint8)


class TrainTransform:
    """Augment an image and its mask; the same seed gives the same result in any process.

    Args:
        crop: Height and width of the result.
        scale: Range of the factor the image is resized by first.
        max_ratio: See CategoryCrop.
        flip: Probability of a horizontal flip.
        photometric: Whether colours are distorted.
    """

    def __init__(
        self,
        crop: Size,
        *,
        scale: tuple[float, float] = (0.5, 2.0),
        max_ratio: float = 0.75,
        flip: float = 0.5,
        photometric: bool = True,
    ) -> None:
        steps: Sequence[Any] = [
            A.RandomScale((scale[0] - 1, scale[1] - 1), p=float(tuple(scale) != (1.0, 1.0))),
            A.PadIfNeeded(*crop, position="top_left", border_mode=cv2.BORDER_CONSTANT, fill=0, fill_mask=IGNORE),
            CategoryCrop(crop, max_ratio=max_ratio),
            A.HorizontalFlip(p=flip),
            *([PhotometricDistortion()] if photometric else []),
        ]
        self._compose = A.Compose(list(steps))

    def __call__(self, image: Image, mask: Image, *, seed: int) -> tuple[Image, Image]:
        """RGB bytes (H, W, 3) and train ids (H, W) in, both at the crop's size out."""
        self._compose.set_random_seed(seed)
        out = self._compose(image=image, mask=mask)
        return out["image"], out["mask"]
