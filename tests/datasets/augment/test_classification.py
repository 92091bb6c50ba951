"""What is done to a classifier's images: seeded by sample, bytes in and out."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from torchvision.transforms.v2 import functional as F

from foveate.datasets.augment.classification import ClassifierEvalTransform, ClassifierTrainTransform, seeded
from foveate.datasets.errors import DataConfigError

STILL: dict[str, Any] = {"crop": "none", "flip": 0.0}


@pytest.fixture
def image() -> Tensor:
    return torch.randint(0, 256, (3, 40, 60), dtype=torch.uint8)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"crop": "padded"},
        {"crop": "none"},
        {"randaugment": 2},
        {"rotation": 10.0, "shift": 0.1},
        {"crop": "padded", "randaugment": 3, "magnitude": 10},
    ],
)
def test_the_seed_alone_decides(image: Tensor, options: dict[str, Any]) -> None:
    augment = ClassifierTrainTransform(32, **options)
    first = [augment(image, seed=seed) for seed in range(8)]
    torch.rand(3)
    assert all(torch.equal(augment(image, seed=seed), result) for seed, result in enumerate(first))
    assert any(not torch.equal(first[0], other) for other in first[1:])
    assert {(result.dtype, tuple(result.shape)) for result in first} == {(torch.uint8, (3, 32, 32))}


def test_other_random_numbers_go_on_as_if_nothing_had_happened(image: Tensor) -> None:
    torch.manual_seed(4)
    expected = torch.rand(5)
    torch.manual_seed(4)
    ClassifierTrainTransform(32, randaugment=2)(image, seed=1)
    assert torch.equal(torch.rand(5), expected)
    with pytest.raises(KeyError), seeded(3):
        raise KeyError
    torch.manual_seed(4)
    with seeded(9):
        torch.rand(1)
    assert torch.equal(torch.rand(5), expected)


def test_a_certain_flip_is_the_mirror_image(image: Tensor) -> None:
    plain = ClassifierTrainTransform(32, **STILL)(image, seed=0)
    flipped = ClassifierTrainTransform(32, crop="none", flip=1.0)(image, seed=0)
    assert torch.equal(flipped, plain.flip(-1))


def test_a_whole_resized_crop_is_a_resize(image: Tensor) -> None:
    whole = ClassifierTrainTransform(32, scale=(1.0, 1.0), ratio=(1.5, 1.5), flip=0.0)(image, seed=0)
    assert torch.equal(whole, ClassifierTrainTransform(32, **STILL)(image, seed=0))


def test_a_padded_crop_is_a_window_of_the_padded_image() -> None:
    image = torch.randint(1, 256, (3, 8, 8), dtype=torch.uint8)
    padded = F.pad(image, [2])
    windows = [padded[:, top : top + 8, left : left + 8] for top in range(5) for left in range(5)]
    crops = [ClassifierTrainTransform(8, crop="padded", padding=2, flip=0.0)(image, seed=s) for s in range(40)]
    assert all(any(torch.equal(crop, window) for window in windows) for crop in crops)
    assert len({crop.numpy().tobytes() for crop in crops}) > 10


def test_randaugment_of_no_strength_moves_and_colours_little(image: Tensor) -> None:
    smooth = F.gaussian_blur(image, [9, 9])
    plain = ClassifierTrainTransform(32, **STILL)(smooth, seed=0).float()

    def change(magnitude: int) -> float:
        augment = ClassifierTrainTransform(32, **STILL, randaugment=2, magnitude=magnitude)
        return sum((augment(smooth, seed=s).float() - plain).abs().mean().item() for s in range(30))

    assert change(9) > 1.3 * change(1)


@pytest.mark.parametrize("size", [(40, 60), (60, 40), (300, 20), (5, 5)])
def test_evaluation_cuts_the_middle_of_the_shorter_side(size: tuple[int, int]) -> None:
    image = torch.randint(0, 256, (3, *size), dtype=torch.uint8)
    whole = F.resize(image, [37], interpolation=F.InterpolationMode.BICUBIC, antialias=True)  # 32 / 0.875 is 36.6
    expected = F.center_crop(whole, [32])
    assert torch.equal(ClassifierEvalTransform(32)(image, seed=0), expected)


def test_evaluation_without_a_crop_resizes_the_whole(image: Tensor) -> None:
    result = ClassifierEvalTransform(32, crop_ratio=None)(image, seed=0)
    assert torch.equal(result, F.resize(image, [32, 32], interpolation=F.InterpolationMode.BICUBIC, antialias=True))


@pytest.mark.parametrize("size", [(40, 60), (60, 40)])
@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear", "nearest", "lanczos"])
def test_evaluation_resizes_as_it_is_told(size: tuple[int, int], interpolation: Any) -> None:
    image = torch.randint(0, 256, (3, *size), dtype=torch.uint8)
    result = ClassifierEvalTransform(32, crop_ratio=0.8, interpolation=interpolation)(image, seed=0)
    mode = F.InterpolationMode(interpolation)
    picture = F.resize(F.to_pil_image(image), [40], interpolation=mode, antialias=True)
    expected = F.center_crop(F.pil_to_tensor(picture), [32])
    assert (result.int() - expected.int()).abs().max() <= (40 if interpolation == "nearest" else 3)
    assert result.shape == (3, 32, 32)


@pytest.mark.parametrize("crop", ["none", "padded"])
def test_an_image_of_the_right_size_is_not_resampled(crop: Any) -> None:
    image = torch.randint(0, 256, (3, 8, 8), dtype=torch.uint8)
    assert torch.equal(ClassifierTrainTransform(8, crop=crop, padding=0, flip=0.0)(image, seed=0), image)
    assert torch.equal(ClassifierEvalTransform(8, crop_ratio=None)(image, seed=0), image)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"scale": (0.5, 1.5)}, r"scale is a lower and an upper limit above 0 and at most 1, not \[0.5, 1.5\]"),
        ({"ratio": (2.0, 1.0)}, r"ratio is a lower and an upper limit above 0, not \[2.0, 1.0\]"),
        ({"randaugment": 2, "magnitude": 11}, "magnitude 0 to 10, not 2 and 11"),
    ],
)
def test_impossible_settings_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(DataConfigError, match=message):
        ClassifierTrainTransform(32, **options)
    with pytest.raises(DataConfigError, match="crop_ratio is above 0 and at most 1, or null, not 0"):
        ClassifierEvalTransform(32, crop_ratio=0)


@pytest.mark.parametrize(("views", "count"), [("flip", 2), ("five_crop", 5), ("ten_crop", 10)])
def test_views_are_torchvisions_crops_with_the_centre_first(views: Any, count: int) -> None:
    image = torch.randint(0, 256, (3, 50, 70), dtype=torch.uint8)
    center = ClassifierEvalTransform(32, crop_ratio=0.8)(image, seed=0)
    found = ClassifierEvalTransform(32, crop_ratio=0.8, views=views)(image, seed=0)
    assert found.shape == (count, 3, 32, 32)
    assert torch.equal(found[0], center)
    if views == "flip":
        assert torch.equal(found[1], center.flip(2))
        return
    resized = F.resize(image, 40, interpolation=F.InterpolationMode.BICUBIC)
    crops = F.ten_crop(resized, 32) if views == "ten_crop" else F.five_crop(resized, 32)
    order = [4, 0, 1, 2, 3, 9, 6, 5, 8, 7][:count]  # a corner of the mirror image is the other one mirrored
    assert torch.equal(found, torch.stack([crops[place] for place in order]))


def test_corners_need_a_crop_ratio() -> None:
    with pytest.raises(DataConfigError, match=r"give --data\.crop_ratio too"):
        ClassifierEvalTransform(32, crop_ratio=None, views="ten_crop")
