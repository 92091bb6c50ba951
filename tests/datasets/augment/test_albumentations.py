"""albumentations' transforms in a recipe."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

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
        ("GausianBlur", "no transform 'GausianBlur'; did you mean GaussianBlur"),
        ("Compose", "no transform 'Compose'"),
        ({"name": "GaussianBlur", "sigma": 2}, "GaussianBlur has no option 'sigma'"),
        ({"p": 1.0}, "a mapping needs a name"),
        ({"name": "GaussianBlur", "p": "often"}, "GaussianBlur cannot be built"),
    ],
)
def test_a_mistake_is_told(spec: Any, message: str) -> None:
    with pytest.raises(DataConfigError, match=message):
        Augmentations([spec])


def test_another_size_is_refused() -> None:
    with pytest.raises(DataConfigError, match="leave out what resizes"):
        Augmentations([{"name": "Resize", "height": 8, "width": 8}])(IMAGE, MASK, seed=0)
