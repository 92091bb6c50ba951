"""albumentations' transforms in a recipe."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # its import asks the network for a newer version

import albumentations as A

from foveate.datasets.augment.albumentations import Augmentations
from foveate.datasets.augment.segmentation import TrainTransform
from foveate.datasets.errors import DataConfigError

IMAGE = np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8)
MASK = np.random.default_rng(1).integers(0, 19, (40, 50), dtype=np.uint8)
TURN: list[Any] = [{"name": "Rotate", "limit": [30, 30], "p": 1.0}, "GaussianBlur"]


def test_the_same_seed_gives_the_same_in_any_process() -> None:
    augment = Augmentations(TURN)
    copied = pickle.loads(pickle.dumps(augment))
    for one, two in zip(augment(IMAGE, MASK, seed=3), copied(IMAGE, MASK, seed=3), strict=True):
        np.testing.assert_array_equal(one, two)


def test_what_a_turn_lays_bare_is_ignored_and_labels_stay_labels() -> None:
    _, mask = Augmentations(TURN)(IMAGE, MASK, seed=0)
    assert mask[0, 0] == 255
    assert set(np.unique(mask)) <= {*range(19), 255}


def test_they_follow_the_crop() -> None:
    plain = TrainTransform((32, 32), photometric=False, flip=0.0)
    turned = TrainTransform(
        (32, 32), photometric=False, flip=0.0, further=Augmentations([{"name": "VerticalFlip", "p": 1}])
    )
    for one, two in zip(plain(IMAGE, MASK, seed=5), turned(IMAGE, MASK, seed=5), strict=True):
        np.testing.assert_array_equal(one[::-1], two)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("GausianBlur", "no transform 'GausianBlur'; did you mean 'GaussianBlur'"),
        ("gausianblur", "no transform 'gausianblur'; did you mean 'GaussianBlur'"),
        ("BasicTransform", "no transform 'BasicTransform'"),
        ("OneOf", r"OneOf needs transforms, a list such as \[GaussianBlur"),
        ({"name": "OneOf", "transforms": ["GausianBlur"]}, "no transform 'GausianBlur'; did you mean 'GaussianBlur'"),
        (
            {"name": "OneOf", "transfroms": ["Rotate"], "transforms": ["Rotate"]},
            "'transfroms'; did you mean 'transforms'",
        ),
        ({"name": "os.system"}, "no transform 'system'"),
        ({"name": "GaussianBlur", "sigma": 2}, "GaussianBlur has no option 'sigma'"),
        ({"p": 1.0}, "a mapping needs a name"),
        ({"name": "GaussianBlur", "p": "often"}, "GaussianBlur cannot be built"),
    ],
)
def test_a_mistake_is_told(spec: Any, message: str) -> None:
    with pytest.raises(DataConfigError, match=message):
        Augmentations([spec])


def test_another_size_is_refused() -> None:
    with pytest.raises(DataConfigError, match="leave out transforms that resize"):
        Augmentations([{"name": "Resize", "height": 8, "width": 8}])(IMAGE, MASK, seed=0)


NESTED: list[Any] = [
    {"name": "OneOf", "p": 1, "transforms": ["GaussianBlur", {"name": "Sequential", "transforms": TURN, "p": 1}]},
    {"name": "Compose", "transforms": [{"name": "SomeOf", "n": 1, "transforms": ["HorizontalFlip", "VerticalFlip"]}]},
]


def test_nested_ones_repeat_with_the_seed_and_differ_without() -> None:
    augment = Augmentations(NESTED)
    first = [augment(IMAGE, MASK, seed=seed)[0].tobytes() for seed in range(12)]
    assert first == [augment(IMAGE, MASK, seed=seed)[0].tobytes() for seed in range(12)]
    assert len(set(first)) > 3


def turned() -> A.Compose:
    inner = A.OneOf([A.Rotate(limit=(30, 30), p=1), A.Affine(rotate=(20, 20), fill_mask=0, p=1)], p=1)
    return A.Compose([inner, A.PixelDropout(mask_drop_value=0, p=1)])


@pytest.mark.parametrize("suffix", [".json", ".yaml"])
@pytest.mark.parametrize("listed", [False, True])
def test_what_albumentations_saved_is_read_and_its_masks_are_filled_with_ignore(
    tmp_path: Path, suffix: str, listed: bool
) -> None:
    path = tmp_path / f"saved{suffix}"
    A.save(turned(), path, data_format=suffix[1:])
    mask = np.full_like(MASK, 7)
    for seed in range(6):
        _, got = Augmentations([str(path)] if listed else str(path))(IMAGE, mask, seed=seed)
        assert set(np.unique(got)) == {7, 255}


def test_what_to_dict_gives_is_taken_as_it_is() -> None:
    one, two = Augmentations(A.to_dict(turned())), Augmentations(A.to_dict(turned())["transform"])
    for a, b in zip(one(IMAGE, MASK, seed=4), two(IMAGE, MASK, seed=4), strict=True):
        np.testing.assert_array_equal(a, b)


def test_labels_are_never_blended() -> None:
    _, mask = Augmentations([{"name": "Rotate", "limit": [9, 9], "mask_interpolation": 1, "p": 1}])(
        IMAGE, MASK % 2 * 18, seed=0
    )
    assert set(np.unique(mask)) <= {0, 18, 255}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "cannot be read as JSON or YAML"),
        ("7", "holds no transform"),
        ("[7]", "a name or a mapping with a name, not 7"),
    ],
)
def test_a_file_that_holds_nothing_of_use_is_named(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(DataConfigError, match=message):
        Augmentations(str(tmp_path / "a.json"))
    with pytest.raises(DataConfigError, match=r"no\.json cannot be read"):
        Augmentations(str(tmp_path / "no.json"))
