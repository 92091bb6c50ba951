"""The official training augmentation of SegNeXt; the crop is chosen first, so that nothing else is resized.

The official order resizes an image by 0.5-2, crops it so that no class covers over 75 % of the labelled pixels, flips
it, distorts its colours, normalises it, and pads it with 0 below and on the right. The same random numbers are drawn
here, but only the crop is made. Images are normalised later, on the device, so padding is the mean in whole bytes: at
most half a grey level from the mean, that is 0.009 standard deviations.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

import cv2
import numpy as np

from foveate.datasets.augment.albumentations import Applied, Augmentations
from foveate.datasets.augment.draw import Draw, Paste, Pasted
from foveate.datasets.augment.photometric import RGB, draw_distortion
from foveate.datasets.augment.resizing import (
    STEPS,
    Image,
    ImagePart,
    Mask,
    MaskPart,
    Size,
    Window,
    fit_scale,
    resize_mask_window,
    resize_window,
    resized_size,
    with_axis,
)
from foveate.datasets.augment.targets import TargetPixels
from foveate.datasets.labels import IGNORE

TRIES = 10
MOST_FILLED = 4  # channels that OpenCV pads with values of their own
WIDE = 0.25  # a range of scales at least as wide is drawn in steps of 1/64
Pixel = tuple[int, ...]  # a byte for each channel
MEAN_PIXEL: Pixel = (124, 116, 104)  # ImageNet's mean, 123.675, 116.28, 103.53, in whole bytes


class TrainTransform:
    """Augment an image and its mask; the same seed gives the same result in any process.

    Args:
        crop: Height and width of the result.
        scale: Range of the factor the image is resized by first; in steps of 1/64, unless the range is below 0.25.
        fit: Short side, and limit of the long side or None, of the size that `scale` is relative to; None takes the
            image's own size.
        max_ratio: Crop again while one class covers more than this share of the labelled pixels; 1 takes the first.
        flip: Probability of a horizontal flip.
        photometric: Whether colours are distorted; padding is not.
        pad_value: A byte of the padding for each channel; the mean that images are normalised by makes it about 0
            afterwards.
        further: What is done to the crop after that.
    """

    def __init__(
        self,
        crop: Size,
        *,
        scale: tuple[float, float] = (0.5, 2.0),
        fit: tuple[int, int | None] | None = None,
        max_ratio: float = 0.75,
        flip: float = 0.5,
        photometric: bool = True,
        pad_value: Pixel = MEAN_PIXEL,
        further: Augmentations | None = None,
    ) -> None:
        self.crop = crop
        self.pad_value = pad_value
        self.further = further
        self.scale = scale
        self.fit = fit
        self.max_ratio = max_ratio
        self.flip = flip
        self.photometric = photometric

    def __call__(
        self, image: Image, mask: Mask, *, seed: int, target: int | None = None, paste: Paste | None = None
    ) -> tuple[ImagePart, MaskPart]:
        """Bytes (H, W, C) and train ids in, both at the crop's size out; padding is `pad_value`, and ignored.

        Only what the crop shows is read, so that both may be views of a file.

        Args:
            image: The image.
            mask: Its train ids.
            seed: Decides everything.
            target: Train id of which the crop shows a pixel, if the resized image has one; other augmentations may
                still move it out of the crop.
            paste: Pastes objects into the crop.
        """
        crop, _ = self._augment(image, mask, Random(seed), target, paste, explained=False)
        return crop

    def explain(
        self, image: Image, mask: Mask, *, seed: int, target: int | None = None, paste: Paste | None = None
    ) -> tuple[tuple[ImagePart, MaskPart], Draw]:
        """The same crop, and what was drawn for it.

        Args:
            image: As for a call, like the rest.
            mask: Its train ids.
            seed: Decides everything.
            target: Train id of which the crop shows a pixel.
            paste: Pastes objects into the crop.
        """
        return self._augment(image, mask, Random(seed), target, paste, explained=True)

    def _augment(
        self, image: Image, mask: Mask, random: Random, target: int | None, paste: Paste | None, *, explained: bool
    ) -> tuple[tuple[ImagePart, MaskPart], Draw]:
        scale = self._draw_scale(random, (mask.shape[0], mask.shape[1]))
        window, cut_mask = self._draw_window(mask, scale, random, target)
        cut = resize_window(image, scale, window)
        flipped = random.random() < self.flip
        distortion = draw_distortion(random) if self.photometric else None
        pasted: Sequence[Pasted] = ()
        if paste is not None:
            cut, cut_mask, pasted = paste(cut, cut_mask)
        if distortion is not None:
            cut = distortion(cut)
        crop = self._frame(cut, self.pad_value, flipped), self._frame(cut_mask, (IGNORE,), flipped)
        applied: list[Applied] = []
        if self.further is not None:
            crop = self.further(*crop, seed=random.getrandbits(31), applied=applied if explained else None)
        return crop, Draw(
            scale=scale,
            window=window,
            flipped=flipped,
            distortion=distortion,
            target=target,
            pasted=pasted,
            further=applied,
        )

    def scales(self, size: Size) -> tuple[float, float]:
        """Range of the factor by which an image is resized.

        Args:
            size: Its height and width.
        """
        base = 1.0 if self.fit is None else fit_scale(size, *self.fit)
        return base * self.scale[0], base * self.scale[1]

    def adapt(self, channels: int) -> list[str]:
        """Prepare for images of a number of channels.

        Args:
            channels: Of the images.

        Returns:
            A line on each augmentation that such images do not get.
        """
        if channels == RGB:
            return []
        lines = []
        if self.photometric:
            lines.append(f"images of {channels} channels: hue and saturation, which RGB alone has, are not changed")
        if self.further is not None:
            self.further = self.further.for_channels(channels)
            if skipped := ", ".join(self.further.skipped):
                lines.append(f"images of {channels} channels: augmentations that need RGB are skipped: {skipped}")
        return lines

    def _draw_scale(self, random: Random, size: Size) -> float:
        low, high = self.scales(size)
        scale = random.uniform(low, high)
        return round(scale * STEPS) / STEPS if high - low >= WIDE else scale

    def _draw_window(
        self, mask: Mask, scale: float, random: Random, target: int | None = None
    ) -> tuple[Window, MaskPart]:
        """Where to crop, and the mask there."""
        height, width = resized_size((mask.shape[0], mask.shape[1]), scale)
        size = min(height, self.crop[0]), min(width, self.crop[1])
        targets = None if target is None else TargetPixels(mask, scale, target)
        for _ in range(TRIES):
            if targets:
                window = targets.draw_window(size, random)
            else:
                window = Window(random.randint(0, height - size[0]), random.randint(0, width - size[1]), *size)
            cut = resize_mask_window(mask, scale, window)
            if self.max_ratio >= 1 or is_varied(cut, self.max_ratio):
                break
        return window, cut

    def _frame(self, part: np.ndarray, fill: tuple[int, ...], flipped: bool) -> np.ndarray:
        """Flip, then pad below and on the right what is smaller than the crop; always an array of its own."""
        below, right = self.crop[0] - part.shape[0], self.crop[1] - part.shape[1]
        whole = with_axis(np.asarray(cv2.flip(part, 1)), part) if flipped else np.array(part)
        if not (below or right):
            return whole
        if len(fill) > MOST_FILLED or part.shape[2:] == (1,):
            return _padded(whole, self.crop, fill)
        return np.asarray(cv2.copyMakeBorder(whole, 0, below, 0, right, cv2.BORDER_CONSTANT, value=fill))


def _padded(part: ImagePart, size: Size, fill: tuple[int, ...]) -> Image:
    """The same for numbers of channels that OpenCV does not pad."""
    whole = np.empty((*size, part.shape[2]), dtype=np.uint8)
    whole[...] = fill
    whole[: part.shape[0], : part.shape[1]] = part
    return whole


def is_varied(mask: Mask, max_ratio: float) -> bool:
    """Whether there are two classes, and none covers as much of the labelled pixels as that."""
    counts = cv2.calcHist([np.ascontiguousarray(mask)], [0], None, [256], [0, 256]).ravel()[:IGNORE]
    return bool(np.count_nonzero(counts) > 1 and counts.max() / counts.sum(dtype=np.float64) < max_ratio)
