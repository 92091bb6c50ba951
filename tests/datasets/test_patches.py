"""Patches are named by their middle, of every class as often, and mirrored at the edge."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import cv2
import numpy as np
import pytest

from foveate.datasets.errors import DataError
from foveate.datasets.labels import CITYSCAPES
from foveate.datasets.layouts import LabelFiles
from foveate.datasets.patches import CityscapesPatchesDataModule, PatchDataset, cut, draw_places


def test_a_patch_is_the_square_round_its_middle() -> None:
    image = np.arange(10 * 12 * 3, dtype=np.uint8).reshape(10, 12, 3)
    assert np.array_equal(cut(image, 5, 6, 4), image[3:7, 4:8])


def test_beyond_the_edge_the_image_is_mirrored_however_large_the_patch() -> None:
    image = np.arange(5 * 5 * 3, dtype=np.uint8).reshape(5, 5, 3)
    padded = np.pad(image, ((4, 4), (4, 4), (0, 0)), mode="reflect")
    assert np.array_equal(cut(image, 2, 2, 13), padded)
    assert cut(image, 0, 4, 64).shape == (64, 64, 3)


def test_each_class_shown_is_drawn_about_as_often_and_the_ignored_never() -> None:
    mask = np.full((40, 40), 3, dtype=np.uint8)
    mask[:2, :2] = 7
    mask[20:] = 255
    drawn = [int(mask[place]) for place in draw_places(mask, 400, seed=0)]
    assert set(drawn) == {3, 7}
    assert 150 < drawn.count(7) < 250


def test_the_same_seed_draws_the_same_places() -> None:
    mask = np.random.default_rng(0).integers(0, 19, (30, 30)).astype(np.uint8)
    assert draw_places(mask, 9, seed=4) == draw_places(mask, 9, seed=4) != draw_places(mask, 9, seed=5)


def test_the_label_is_the_class_of_the_middle(cityscapes_root: Path) -> None:
    module = CityscapesPatchesDataModule(str(cityscapes_root), per_image=5, patch=16, image_size=16, batch_size=4)
    module.setup("fit")
    batch = next(iter(module.val_dataloader()))
    assert batch["image"].shape == (4, 3, 16, 16)
    dataset = module.find_images("val")
    assert len(dataset) == 15
    assert module.label_set.names[int(dataset.labels[0])]
    assert dataset.labels.min() >= 0
    assert dataset.labels.max() < 19


def test_label_maps_without_a_label_are_refused(cityscapes_root: Path) -> None:
    module = CityscapesPatchesDataModule(str(cityscapes_root))
    pairs = module.find_images("val").pairs
    with pytest.raises(DataError, match="no labelled pixel in 3 label maps"):
        PatchDataset(pairs, np.full(256, 255, dtype=np.uint8), per_image=2, side=8)


def test_patches_read_the_label_files_asked_for(cityscapes_root: Path) -> None:
    for path in cityscapes_root.rglob("*_labelIds.png"):
        ids = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        cv2.imwrite(str(path).replace("labelIds", "labelTrainIds"), cv2.LUT(ids, CITYSCAPES.to_train_ids()))
    one, two = (CityscapesPatchesDataModule(str(cityscapes_root), labels=kind) for kind in get_args(LabelFiles))
    assert one.find_images("val").labels.tolist() == two.find_images("val").labels.tolist()
