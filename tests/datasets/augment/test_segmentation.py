"""The training augmentation."""

from __future__ import annotations

from random import Random

import cv2
import numpy as np
import pytest

from foveate.datasets.augment.photometric import Distortion, draw_distortion
from foveate.datasets.augment.segmentation import TrainTransform

IMAGE = np.random.default_rng(0).integers(1, 256, (40, 60, 3), dtype=np.uint8)
MASK = (np.arange(60) // 15).astype(np.uint8)[None].repeat(40, 0)
STILL = {"scale": (1.0, 1.0), "max_ratio": 1.0, "flip": 0.0, "photometric": False}
Size = tuple[int, int]
MEAN, STD = np.array([123.675, 116.28, 103.53]), np.array([58.395, 57.12, 57.375])


@pytest.mark.parametrize("crop", [(32, 32), (40, 60), (64, 100), (16, 90)], ids=str)
@pytest.mark.parametrize("scale", [(0.5, 2.0), (1.0, 1.0), (0.25, 0.25)], ids=str)
def test_the_result_has_the_crops_size_and_type(crop: Size, scale: tuple[float, float]) -> None:
    for seed in range(5):
        image, mask = TrainTransform(crop, scale=scale)(IMAGE, MASK, seed=seed)
        assert (image.shape, mask.shape) == ((*crop, 3), crop)
        assert image.dtype == mask.dtype == np.uint8


def test_the_mask_gains_no_label_but_ignore() -> None:
    for seed in range(20):
        _, mask = TrainTransform((48, 48))(IMAGE, MASK * 5, seed=seed)
        assert set(np.unique(mask)) <= {0, 5, 10, 15, 255}


@pytest.mark.parametrize("flip", [0.0, 1.0])
def test_padding_is_the_mean_below_and_on_the_right_and_ignored(flip: float) -> None:
    image, mask = TrainTransform((64, 80), **{**STILL, "flip": flip})(IMAGE, MASK, seed=0)  # type: ignore[arg-type]
    assert np.array_equal(mask[:40, :60], MASK[:, ::-1] if flip else MASK)
    assert (mask == 255).sum() == 64 * 80 - 40 * 60
    assert np.unique(image[mask == 255], axis=0).tolist() == [[124, 116, 104]]


@pytest.mark.parametrize("crop", [(48, 48), (150, 60), (61, 300)], ids=str)
def test_the_network_sees_what_it_sees_in_the_published_order(crop: Size) -> None:
    """mmseg: resize, crop, flip, distort, normalise, and pad with 0 at last; ours pads bytes and normalises at last."""
    ours = TrainTransform(crop)
    for seed in range(12):
        random = Random(seed)
        scale = ours._draw_scale(random, MASK.shape)
        window, labels = ours._draw_window(MASK, scale, random)
        rows, columns = np.s_[window.top : window.top + window.height], np.s_[window.left : window.left + window.width]
        part = cv2.resize(IMAGE, None, fx=scale, fy=scale)[rows, columns]
        flip = -1 if random.random() < 0.5 else 1
        part = draw_distortion(random)(np.ascontiguousarray(part[:, ::flip])).astype(np.float64)
        below, right = crop[0] - len(part), crop[1] - part.shape[1]
        expected = np.pad((part - MEAN) / STD, ((0, below), (0, right), (0, 0)))
        image, mask = ours(IMAGE, MASK, seed=seed)
        assert np.array_equal(mask, np.pad(labels[:, ::flip], ((0, below), (0, right)), constant_values=255))
        apart = np.abs((image - MEAN) / STD - expected)
        assert apart[mask == 255].max(initial=0) < 0.009  # half a grey level
        assert np.median(apart[mask != 255]) == 0  # a few are one grey level off before they are distorted


@pytest.mark.parametrize("flip", [0.0, 0.5, 1.0])
def test_image_and_mask_are_cut_and_flipped_together(flip: float) -> None:
    places = np.arange(40 * 60).reshape(40, 60)
    image = np.stack([places // 60, places % 60, places * 0], axis=2).astype(np.uint8)
    for seed in range(8):
        cut, mask = TrainTransform((24, 32), **{**STILL, "flip": flip})(image, MASK, seed=seed)  # type: ignore[arg-type]
        assert np.array_equal(MASK[cut[..., 0], cut[..., 1]], mask)


def test_image_and_mask_are_scaled_together() -> None:
    image = np.repeat(MASK[..., None] * 60, 3, axis=2)
    for seed in range(8):
        cut, mask = TrainTransform((24, 32), photometric=False)(image, MASK, seed=seed)
        same = cut[..., 0] == mask * 60
        assert same[mask != 255].mean() > 0.85  # edges between labels are blended in the image


@pytest.mark.parametrize(("flip", "flipped"), [(0.0, {False}), (1.0, {True}), (0.5, {False, True})])
def test_flips_come_as_often_as_asked(flip: float, flipped: set[bool]) -> None:
    transform = TrainTransform((40, 60), **{**STILL, "flip": flip})  # type: ignore[arg-type]
    masks = [transform(IMAGE, MASK, seed=seed)[1] for seed in range(12)]
    assert {np.array_equal(mask, MASK[:, ::-1]) for mask in masks} == flipped


def test_a_seed_decides_everything() -> None:
    first, second = TrainTransform((32, 32)), TrainTransform((32, 32))
    second(IMAGE, MASK, seed=99)  # what came before does not matter
    for seed in range(4):
        pairs = zip(first(IMAGE, MASK, seed=seed), second(IMAGE, MASK, seed=seed), strict=True)
        assert all(np.array_equal(a, b) for a, b in pairs)


def test_another_seed_gives_another_sample() -> None:
    samples = {TrainTransform((32, 32))(IMAGE, MASK, seed=seed)[0].tobytes() for seed in range(10)}
    assert len(samples) == 10


@pytest.mark.parametrize(("max_ratio", "largest"), [(0.75, 0.75), (1.0, 1.0)])
def test_crops_of_mostly_one_class_are_drawn_again(max_ratio: float, largest: float) -> None:
    mask = np.zeros((32, 64), dtype=np.uint8)
    mask[:, 40:] = 1
    transform = TrainTransform((16, 32), **{**STILL, "max_ratio": max_ratio})  # type: ignore[arg-type]
    image = np.zeros((32, 64, 3), dtype=np.uint8)
    shares = [(transform(image, mask, seed=seed)[1] == 0).mean() for seed in range(30)]
    assert max(shares) <= largest
    assert (max(shares) > 0.75) == (max_ratio == 1)


def test_a_set_without_choice_still_gives_a_crop() -> None:
    _, mask = TrainTransform((16, 16), max_ratio=0.1)(IMAGE, np.full((40, 60), 255, dtype=np.uint8), seed=0)
    assert (mask == 255).all()


def test_colours_are_distorted_where_asked() -> None:
    plain = TrainTransform((40, 60), **STILL)  # type: ignore[arg-type]
    bright = TrainTransform((40, 60), **{**STILL, "photometric": True})  # type: ignore[arg-type]
    changed = [not np.array_equal(bright(IMAGE, MASK, seed=s)[0], plain(IMAGE, MASK, seed=s)[0]) for s in range(20)]
    assert np.array_equal(plain(IMAGE, MASK, seed=0)[0], IMAGE)
    assert 0.75 < np.mean(changed) <= 1  # a sixteenth has no change at all
    assert np.array_equal(bright(IMAGE, MASK, seed=0)[1], MASK)


@pytest.mark.parametrize(
    ("change", "colour"),
    [
        ({}, [100, 50, 50]),
        ({"brightness": 20.0}, [120, 70, 70]),
        ({"brightness": -60.0}, [40, 0, 0]),
        ({"contrast": 1.5}, [150, 75, 75]),
        ({"contrast": 1.5, "contrast_first": False}, [150, 75, 75]),
        ({"saturation": 0.5}, [100, 75, 75]),
        ({"hue": 60.0}, [50, 100, 50]),
        ({"hue": -60.0}, [50, 50, 100]),
    ],
    ids=str,
)
def test_each_distortion_does_what_it_says(change: dict[str, object], colour: list[int]) -> None:
    image = np.full((2, 2, 3), (100, 50, 50), dtype=np.uint8)
    changed = Distortion(**change)(image)  # type: ignore[arg-type]
    np.testing.assert_allclose(changed[0, 0], colour, atol=1)


def test_padding_stays_as_it_is_whatever_the_colours() -> None:
    for seed in range(20):
        image, mask = TrainTransform((64, 80), scale=(1.0, 1.0), pad_value=(7, 8, 9))(IMAGE, MASK, seed=seed)
        assert (image[mask == 255] == (7, 8, 9)).all()


def test_what_is_given_stays_as_it_was() -> None:
    image, mask = IMAGE.copy(), MASK.copy()
    image.setflags(write=False)  # as a file that is mapped to memory is
    mask.setflags(write=False)
    for seed in range(20):
        cut = TrainTransform((24, 32))(image, mask, seed=seed)
        assert all(part.flags.writeable and part.flags.owndata for part in cut)
    assert np.array_equal(image, IMAGE)


@pytest.mark.parametrize("size", [(40, 60), (90, 60), (400, 100)], ids=str)
def test_the_scale_is_relative_to_a_short_side_within_a_long_one(size: Size) -> None:
    """ADE20K's protocol: an image is first brought to (2048, 512), here (64, 20), and then scaled by 0.5-2."""
    ours = TrainTransform((16, 16), fit=(20, 64))
    scales = [ours._draw_scale(Random(seed), size) for seed in range(400)]
    base = min(20 / min(size), 64 / max(size))
    assert min(scales) == pytest.approx(0.5 * base, abs=0.02 * base + 1 / 128)
    assert max(scales) == pytest.approx(2 * base, abs=0.02 * base + 1 / 128)


def test_image_and_mask_stay_together_relative_to_a_short_side() -> None:
    image = np.repeat(MASK[..., None] * 60, 3, axis=2)
    for seed in range(8):
        cut, mask = TrainTransform((24, 32), fit=(55, None), photometric=False)(image, MASK, seed=seed)
        assert (cut[..., 0] == mask * 60)[mask != 255].mean() > 0.85


def test_without_a_range_of_scales_the_short_side_is_exact() -> None:
    image, mask = TrainTransform((20, 30), fit=(20, None), **STILL)(IMAGE, MASK, seed=0)  # type: ignore[arg-type]
    assert np.abs(image.astype(int) - cv2.resize(IMAGE, (30, 20))).max() <= 1
    assert np.array_equal(mask, MASK[::2, ::2])
