"""What was drawn can be told, which changes nothing; a crop can be made to show a class."""

from __future__ import annotations

from random import Random

import cv2
import numpy as np
import pytest

from foveate.datasets.augment.albumentations import Augmentations
from foveate.datasets.augment.resizing import STEPS, resized_size, source_pixels
from foveate.datasets.augment.segmentation import TrainTransform
from foveate.datasets.augment.targets import TargetPixels

IMAGE = np.random.default_rng(0).integers(1, 256, (40, 60, 3), dtype=np.uint8)
MASK = (np.arange(60) // 15).astype(np.uint8)[None].repeat(40, 0)
FURTHER = ["HorizontalFlip", {"name": "OneOf", "transforms": ["GaussianBlur", {"name": "RandomGamma", "p": 1}], "p": 1}]


def test_explaining_changes_no_crop() -> None:
    plain, told = (TrainTransform((24, 32), further=Augmentations(FURTHER)) for _ in range(2))
    for seed in range(20):
        image, mask = plain(IMAGE, MASK, seed=seed)
        (told_image, told_mask), _ = told.explain(IMAGE, MASK, seed=seed)
        assert np.array_equal(image, told_image)
        assert np.array_equal(mask, told_mask)


def test_what_is_told_makes_the_crop() -> None:
    transform = TrainTransform((24, 32))
    for seed in range(20):
        (image, mask), draw = transform.explain(IMAGE, MASK, seed=seed)
        rows, columns = source_pixels((40, 60), draw.scale)
        window, step = draw.window, -1 if draw.flipped else 1
        whole = MASK[np.ix_(rows, columns)]
        cut = whole[window.top :, window.left :][: window.height, : window.width][:, ::step]
        assert np.array_equal(mask[: window.height, : window.width], cut)
        resized = cv2.resize(IMAGE, None, fx=draw.scale, fy=draw.scale)
        part = resized[window.top :, window.left :][: window.height, : window.width][:, ::step]
        assert draw.distortion is not None
        apart = np.abs(image[: window.height, : window.width].astype(int) - draw.distortion(part))
        assert np.median(apart) == 0  # a few are one grey level off before they are distorted


def test_transforms_that_were_applied_are_told_with_parameters() -> None:
    transform, names = TrainTransform((24, 32), further=Augmentations(FURTHER)), []
    for seed in range(20):
        _, draw = transform.explain(IMAGE, MASK, seed=seed)
        names.append(tuple(name for name, _ in draw.further))
        gamma = dict(draw.further).get("RandomGamma", {"gamma": 1.0})["gamma"]
        assert 0.8 <= gamma <= 1.2
    assert {len(one) for one in names} == {1, 2}
    assert {one[-1] for one in names} == {"GaussianBlur", "RandomGamma"}


@pytest.mark.parametrize("scale", [0.25, 0.5, 37 / STEPS, 1.0, 1.005, 1.1, 2.0])
def test_windows_show_a_pixel_of_the_class_if_the_resized_mask_has_one(scale: float) -> None:
    random, rng = Random(0), np.random.default_rng(3)
    for _ in range(30):
        mask = np.zeros((33, 45), dtype=np.uint8)
        mask[rng.integers(33), rng.integers(45)] = 7
        height, width = resized_size((33, 45), scale)
        rows, columns = source_pixels((33, 45), scale)
        assert (len(rows), len(columns)) == (height, width)
        whole = mask[np.ix_(rows, columns)]
        targets = TargetPixels(mask, scale, 7)
        assert bool(targets) == (whole == 7).any()
        if targets:
            window = targets.draw_window((min(8, height), min(9, width)), random)
            assert (whole[window.top :, window.left :][: window.height, : window.width] == 7).any()


def test_each_window_that_holds_the_pixel_is_drawn() -> None:
    mask = np.zeros((20, 20), dtype=np.uint8)
    mask[1, 18] = 3
    targets, random = TargetPixels(mask, 1.0, 3), Random(0)
    windows = {(w.top, w.left) for w in (targets.draw_window((4, 4), random) for _ in range(200))}
    assert windows == {(top, left) for top in (0, 1) for left in (15, 16)}


def test_a_target_is_shown_by_the_crop_and_an_absent_one_changes_nothing() -> None:
    mask = MASK.copy()
    mask[37, 55] = 9
    transform = TrainTransform((16, 16), scale=(1.0, 2.0))
    assert all((transform(IMAGE, mask, seed=seed, target=9)[1] == 9).any() for seed in range(20))
    assert sum((transform(IMAGE, mask, seed=seed)[1] == 9).any() for seed in range(20)) < 10
    assert np.array_equal(transform(IMAGE, MASK, seed=1, target=9)[0], transform(IMAGE, MASK, seed=1)[0])
