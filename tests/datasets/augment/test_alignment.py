"""No augmentation invents a label, fills a mask with a class, or moves it apart from its image, at any channels."""

from __future__ import annotations

import os
import warnings
from typing import Any

import numpy as np
import pytest

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # its import asks the network for a newer version

import albumentations as A

from foveate.datasets.augment.albumentations import REFUSED, Augmentations
from foveate.datasets.augment.segmentation import TrainTransform
from foveate.datasets.errors import DataConfigError
from foveate.datasets.labels import IGNORE

CLASSES, SIDE, BLOCK = 18, 64, 16
RNG = np.random.default_rng(0)
MASK = np.kron(RNG.integers(1, CLASSES + 1, (SIDE // BLOCK,) * 2), np.ones((BLOCK, BLOCK))).astype(np.uint8)
PRESENT = set(np.unique(MASK).tolist())
AWAY = 3  # pixels from an edge between classes where interpolation no longer blends
OURS: dict[str, Any] = {"scale": (0.5, 2.0), "max_ratio": 1.0, "photometric": False}


def of_kind(base: type) -> list[str]:
    """The transforms that work by their name alone, and keep the size."""
    kinds = {name: getattr(A, name) for name in dir(A) if name not in REFUSED}
    found = [name for name, kind in kinds.items() if isinstance(kind, type) and issubclass(kind, base)]
    return sorted(name for name in found if not issubclass(kinds[name], A.BaseCompose) and works(name))


def works(name: str) -> bool:
    try:
        apply(name, 3, seed=0)
    except (DataConfigError, ValueError, KeyError, NotImplementedError):  # options or boxes are missing
        return False
    return True


def image_of(mask: np.ndarray, channels: int) -> tuple[np.ndarray, np.ndarray]:
    """An image in which each class has a colour of its own, in no order, and these colours."""
    colours = np.stack([RNG.permutation(256)[: CLASSES + 1] for _ in range(channels)], axis=1).astype(np.uint8)
    return colours[mask], colours


def apply(name: str, channels: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Image, mask and colours after one transform."""
    image, colours = image_of(MASK, channels)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        augment = Augmentations([{"name": name, "p": 1.0}], channels)
        return *augment(image, MASK.copy(), seed=seed), colours


def inside(mask: np.ndarray) -> np.ndarray:
    """Pixels around which there is one class only, away from the border."""
    padded = np.pad(mask, AWAY, constant_values=IGNORE)
    shifted = [
        padded[row : row + SIDE, column : column + SIDE]
        for row in range(2 * AWAY + 1)
        for column in range(2 * AWAY + 1)
    ]
    return np.logical_and.reduce([one == mask for one in shifted]) & (mask != IGNORE)


@pytest.mark.parametrize("channels", [1, 3, 5])
@pytest.mark.parametrize("name", of_kind(A.BasicTransform))
def test_no_transform_by_name_invents_a_label(name: str, channels: int) -> None:
    for seed in range(3):
        _, mask, _ = apply(name, channels, seed)
        assert set(np.unique(mask).tolist()) <= PRESENT | {IGNORE}  # 0 is a class, which is not in the mask


@pytest.mark.parametrize("channels", [3, 4, 7])
@pytest.mark.parametrize("name", of_kind(A.DualTransform))
def test_no_transform_by_name_moves_a_mask_apart_from_its_image(name: str, channels: int) -> None:
    for seed in range(3):
        image, mask, colours = apply(name, channels, seed)
        sure = inside(mask)
        away = np.abs(image[sure].astype(int) - colours[mask[sure]].astype(int)).max(axis=1, initial=0)
        assert not sure.any() or (away <= 2).mean() > 0.98, seed


@pytest.mark.parametrize("channels", [1, 3, 4, 7])
def test_ours_keeps_image_and_mask_together(channels: int) -> None:
    image, colours = image_of(MASK, channels)
    for seed in range(20):
        cut, mask = TrainTransform((SIDE, SIDE), **OURS, pad_value=(128,) * channels)(image, MASK, seed=seed)
        sure = inside(mask)
        assert set(np.unique(mask).tolist()) <= PRESENT | {IGNORE}
        assert np.array_equal(cut[sure], colours[mask[sure]])


def test_there_are_many_transforms() -> None:
    assert len(of_kind(A.BasicTransform)) > 70
    assert {"Affine", "Rotate", "CoarseDropout", "TimeMasking", "GridDistortion"} <= set(of_kind(A.DualTransform))


def test_a_mask_moved_by_hand_is_noticed() -> None:
    image, colours = image_of(MASK, 4)
    moved = np.roll(MASK, 5, axis=1)
    sure = inside(moved)
    assert not np.array_equal(image[sure], colours[moved[sure]])
