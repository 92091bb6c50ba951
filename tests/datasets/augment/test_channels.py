"""Augmentation of images with any number of channels."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from foveate.datasets.augment.albumentations import Augmentations
from foveate.datasets.augment.photometric import Distortion
from foveate.datasets.augment.segmentation import TrainTransform
from foveate.datasets.errors import DataConfigError

RNG = np.random.default_rng(0)
MASK = RNG.integers(0, 5, (70, 90), dtype=np.uint8)


@pytest.mark.parametrize("channels", [1, 2, 4, 5, 12, 40])
def test_each_channel_is_what_it_would_be_alone(channels: int) -> None:
    image = RNG.integers(0, 256, (70, 90, channels), dtype=np.uint8)
    for seed in range(8):
        together, mask = TrainTransform((64, 100), pad_value=tuple(range(channels)))(image, MASK, seed=seed)
        assert together.shape == (64, 100, channels)
        for one in range(channels):
            alone, same = TrainTransform((64, 100), pad_value=(one,))(image[..., one : one + 1], MASK, seed=seed)
            assert np.array_equal(alone[..., 0], together[..., one])
            assert np.array_equal(mask, same)


@pytest.mark.parametrize("channels", [2, 5, 9])
def test_resizing_many_channels_is_opencvs_resizing_of_each(channels: int) -> None:
    image = RNG.integers(0, 256, (70, 90, channels), dtype=np.uint8)
    still = TrainTransform((140, 180), scale=(2.0, 2.0), max_ratio=1.0, flip=0.0, photometric=False)
    resized, _ = still(image, MASK, seed=0)
    wanted = [cv2.resize(np.ascontiguousarray(image[..., one]), None, fx=2, fy=2) for one in range(channels)]
    assert np.array_equal(resized, np.stack(wanted, axis=2))


def test_brightness_and_contrast_change_every_channel_and_hue_none_but_rgb() -> None:
    image = RNG.integers(60, 180, (8, 8, 4), dtype=np.uint8)
    colours, plain = (
        Distortion(brightness=20, contrast=1.2, hue=9, saturation=1.4),
        Distortion(brightness=20, contrast=1.2),
    )
    assert np.array_equal(colours(image), plain(image))
    assert (plain(image) != image).any(axis=(0, 1)).all()


def test_what_needs_rgb_is_skipped_and_named() -> None:
    further = Augmentations(["HueSaturationValue", {"name": "OneOf", "transforms": ["CLAHE", "GaussianBlur"], "p": 1}])
    transform = TrainTransform((32, 32), further=further)
    lines = transform.adapt(4)
    assert lines[0] == "images of 4 channels: hue and saturation, which RGB alone has, are not changed"
    assert lines[1] == "images of 4 channels: augmentations that need RGB are skipped: HueSaturationValue, CLAHE"
    image, mask = transform(RNG.integers(0, 256, (70, 90, 4), dtype=np.uint8), MASK, seed=0)
    assert (image.shape, mask.shape) == ((32, 32, 4), (32, 32))


def test_a_group_of_nothing_but_skipped_ones_is_left_out() -> None:
    further = Augmentations([{"name": "OneOf", "transforms": ["CLAHE", "ToGray"], "p": 1}]).for_channels(5)
    image = RNG.integers(0, 256, (16, 16, 5), dtype=np.uint8)
    assert further.skipped == ("CLAHE", "ToGray")
    assert np.array_equal(further(image, MASK[:16, :16], seed=0)[0], image)


def test_rgb_keeps_every_augmentation() -> None:
    transform = TrainTransform((32, 32), further=Augmentations(["HueSaturationValue"]))
    assert transform.adapt(3) == []
    assert transform.further is not None
    assert transform.further.skipped == ()


def test_what_grows_labels_by_their_numbers_is_refused() -> None:
    with pytest.raises(DataConfigError, match="Morphological is no augmentation of label maps"):
        Augmentations(["Morphological"])
