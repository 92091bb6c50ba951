"""Crop-first augmentation against the official order, by albumentations: resize the whole image, then crop."""

from __future__ import annotations

import os
from random import Random
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # its import asks the network for a newer version

import albumentations as A
from scipy.stats import ks_2samp

from foveate.datasets.augment.photometric import draw_distortion
from foveate.datasets.augment.resizing import Window, resize_mask_window, resize_window, resized_size
from foveate.datasets.augment.segmentation import MEAN_PIXEL, TrainTransform

IGNORE = 255
Image = NDArray[np.uint8]


class CategoryCrop(A.DualTransform):  # type: ignore[misc]
    """A crop that is drawn again, up to ten times, while one class covers too much of the labelled pixels."""

    def __init__(self, size: tuple[int, int], *, max_ratio: float = 0.75) -> None:
        super().__init__(p=1.0)
        self.size = size
        self.max_ratio = max_ratio

    def get_params_dependent_on_data(self, params: dict[str, Any], data: dict[str, Any]) -> dict[str, int]:
        height, width = params["shape"][:2]
        for _ in range(10):
            top = self.py_random.randint(0, height - self.size[0])
            left = self.py_random.randint(0, width - self.size[1])
            counts = np.bincount(self.apply(data["mask"], top, left).ravel(), minlength=256)[:IGNORE]
            if np.count_nonzero(counts) > 1 and counts.max() / counts.sum() < self.max_ratio:
                break
        return {"top": top, "left": left}

    def apply(self, img: Image, top: int, left: int, **_: Any) -> Image:
        return img[top : top + self.size[0], left : left + self.size[1]]


def official_transform(crop: tuple[int, int], scale: tuple[float, float] = (0.5, 2.0)) -> A.Compose:
    """Resize, pad, crop, flip."""
    return A.Compose(
        [
            A.RandomScale((scale[0] - 1, scale[1] - 1), p=1.0),
            A.PadIfNeeded(*crop, position="top_left", border_mode=cv2.BORDER_CONSTANT, fill=0, fill_mask=IGNORE),
            CategoryCrop(crop),
            A.HorizontalFlip(p=0.5),
        ]
    )


def distort(
    image: Image,
    brightness: float | None,
    contrast: float | None,
    contrast_first: bool,
    saturation: float | None,
    hue: float | None,
) -> Image:
    """Photometric distortion, one step after the other."""
    if brightness is not None:
        image = linear(image, 1.0, brightness)
    if contrast is not None and contrast_first:
        image = linear(image, contrast, 0.0)
    if saturation is not None or hue is not None:
        hsv = cv2.cvtColor(image, cv2.COLOR_RGB2HSV).astype(np.float64)
        hsv[..., 0] = (hsv[..., 0] + round(hue or 0)) % 180
        hsv[..., 1] = (hsv[..., 1] * (saturation or 1.0)).clip(0, 255)
        image = np.asarray(cv2.cvtColor(hsv.astype(np.uint8), cv2.COLOR_HSV2RGB), dtype=np.uint8)
    if contrast is not None and not contrast_first:
        image = linear(image, contrast, 0.0)
    return image


def linear(image: Image, gain: float, offset: float) -> Image:
    return (image * np.float64(gain) + offset).clip(0, 255).astype(np.uint8)


RNG = np.random.default_rng(0)
SIDES = [(64, 128), (61, 97), (33, 250), (128, 40), (9, 11)]
SCALES = [0.25, 0.5, 33 / 64, 47 / 64, 63 / 64, 65 / 64, 1.25, 101 / 64, 127 / 64, 2.0, 0.7321, 1.6180]


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("sides", SIDES, ids=str)
def test_a_window_is_that_of_the_whole_resize(sides: tuple[int, int], scale: float) -> None:
    image, mask = RNG.integers(0, 256, (*sides, 3), dtype=np.uint8), RNG.integers(0, 256, sides, dtype=np.uint8)
    whole = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_LINEAR)
    nearest = cv2.resize(mask, None, fx=scale, fy=scale, interpolation=cv2.INTER_NEAREST)
    assert whole.shape[:2] == resized_size(sides, scale)
    for _ in range(20):
        top, left = int(RNG.integers(whole.shape[0])), int(RNG.integers(whole.shape[1]))
        window = Window(
            top, left, *(int(RNG.integers(1, n + 1)) for n in (whole.shape[0] - top, whole.shape[1] - left))
        )
        here = np.s_[top : top + window.height, left : left + window.width]
        assert np.array_equal(resize_mask_window(mask, scale, window), nearest[here])
        difference = np.abs(resize_window(image, scale, window).astype(int) - whole[here])
        assert difference.max() <= 1


def test_few_values_are_off_by_one() -> None:
    image = RNG.integers(0, 256, (512, 1024, 3), dtype=np.uint8)
    whole = cv2.resize(image, None, fx=127 / 64, fy=127 / 64)
    assert (resize_window(image, 127 / 64, Window(300, 900, 500, 500)) != whole[300:800, 900:1400]).mean() < 0.01


def test_what_the_window_does_not_show_is_not_read() -> None:
    image = RNG.integers(0, 256, (512, 1024, 3), dtype=np.uint8)
    other = np.zeros_like(image)
    other[150:360, 450:760] = image[150:360, 450:760]  # 200-300 and 500-700 are shown
    window = Window(400, 1000, 200, 400)
    assert np.array_equal(resize_window(image, 127 / 64, window), resize_window(other, 127 / 64, window))


@pytest.mark.parametrize("crop", [(48, 48), (150, 60), (61, 300)], ids=str)
@pytest.mark.parametrize("sides", SIDES, ids=str)
def test_the_same_draws_give_the_same_sample_in_the_official_order(
    sides: tuple[int, int], crop: tuple[int, int]
) -> None:
    image = RNG.integers(1, 256, (*sides, 3), dtype=np.uint8)
    mask = np.repeat(np.repeat(RNG.integers(0, 5, (8, 8), dtype=np.uint8), 32, 0), 32, 1)[: sides[0], : sides[1]]
    ours = TrainTransform(crop, photometric=False)
    for seed in range(12):
        random = Random(seed)
        scale = ours._draw_scale(random, sides)
        window, _ = ours._draw_window(mask, scale, random)
        steps = [
            A.Crop(window.left, window.top, window.left + window.width, window.top + window.height),
            A.HorizontalFlip(p=float(random.random() < 0.5)),
            A.PadIfNeeded(*crop, position="top_left", fill=MEAN_PIXEL, fill_mask=IGNORE),
        ]
        whole = A.Compose(steps)(
            image=cv2.resize(image, None, fx=scale, fy=scale),
            mask=cv2.resize(mask, None, fx=scale, fy=scale, interpolation=cv2.INTER_NEAREST),
        )
        got = ours(image, mask, seed=seed)
        assert np.array_equal(got[1], whole["mask"])
        assert np.abs(got[0].astype(int) - whole["image"]).max() <= 1


def where(image: Image, mask: Image) -> list[float]:
    """Of a crop of `PLACES`: its middle's row and column, what it spans of both, whether it is flipped, and padding."""
    rows, columns = np.flatnonzero((mask != IGNORE).any(1)), np.flatnonzero((mask != IGNORE).any(0))
    first, last = image[rows[0], columns[0]].astype(float), image[rows[-1], columns[-1]].astype(float)
    middle, span = (first + last) / 2, last - first
    return [*middle[:2], span[0], abs(span[1]), float(span[1] < 0), float((mask == IGNORE).mean())]


PLACES = np.stack([*np.mgrid[10:110, 10:210], np.full((100, 200), 200)], axis=2).astype(np.uint8)
VARIED = (np.mgrid[:100, :200].sum(0) // 8 % 4).astype(np.uint8)
UNEVEN = (np.mgrid[:100, :200][1] > 150).astype(np.uint8)  # most crops are of one class


@pytest.mark.parametrize("mask", [VARIED, UNEVEN], ids=["varied", "uneven"])
@pytest.mark.parametrize("crop", [(60, 60), (90, 120), (150, 300)], ids=str)
def test_crops_are_distributed_as_in_the_official_order(crop: tuple[int, int], mask: Image) -> None:
    ours, theirs = TrainTransform(crop, photometric=False), official_transform(crop)
    theirs.set_random_seed(7)
    given = [theirs(image=PLACES, mask=mask) for _ in range(400)]
    expected = np.array([where(sample["image"], sample["mask"]) for sample in given])
    got = np.array([where(*ours(PLACES, mask, seed=seed)) for seed in range(400)])
    for number, name in enumerate(("row", "column", "height", "width", "flip", "padding")):
        assert ks_2samp(got[:, number], expected[:, number], method="asymp").pvalue > 1e-3, name


@pytest.mark.parametrize("seed", range(40))
def test_distortion_is_that_of_one_step_after_the_other(seed: int) -> None:
    image = RNG.integers(0, 256, (20, 30, 3), dtype=np.uint8)
    distortion = draw_distortion(Random(seed))
    assert np.array_equal(distortion(image.copy()), distort(image, **vars(distortion)))
