"""What belongs together in a split, as data sets name it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from foveate.datasets.cityscapes import CityscapesDataModule
from foveate.datasets.folder import FolderDataModule
from foveate.datasets.image_folder import ImageFolderDataModule


@pytest.mark.parametrize(("group", "expected"), [(None, []), ("city", ["frankfurt"] * 3)])
def test_frames_of_a_city_belong_together_if_asked(
    cityscapes_root: Path, group: str | None, expected: list[str]
) -> None:
    assert list(CityscapesDataModule(str(cityscapes_root), group=group).groups_of("val")) == expected  # type: ignore[arg-type]


def test_frames_of_a_sequence_belong_together_if_asked(cityscapes_root: Path) -> None:
    groups = CityscapesDataModule(str(cityscapes_root), group="sequence").groups_of("val")
    assert groups == ["frankfurt_000000", "frankfurt_000001", "frankfurt_000002"]


def save(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.zeros((8, 8), dtype=np.uint8)).save(path)


@pytest.mark.parametrize("split", ["val", "test"])
def test_images_in_class_folders_have_the_group_of_their_name(tmp_path: Path, split: str) -> None:
    for name in ("cat/a_1", "cat/b_1", "dog/a_2"):
        for part in ("train", "val"):
            save(tmp_path / part / f"{name}.png")
    data = ImageFolderDataModule(str(tmp_path), group="/(.)_")
    assert list(data.groups_of(split)) == ["a", "b", "a"]  # there is no test, so val is scored
    assert list(ImageFolderDataModule(str(tmp_path)).groups_of(split)) == []


@pytest.mark.parametrize("split", ["val", "test"])
def test_pairs_in_folders_have_the_group_of_their_path(tmp_path: Path, split: str) -> None:
    for part in ("train", "val"):
        for name in ("a_1", "a_2", "b_1"):
            save(tmp_path / "images" / part / f"{name}.png")
            save(tmp_path / "masks" / part / f"{name}.png")
    data = FolderDataModule(str(tmp_path), group="/([a-z])_")
    assert list(data.groups_of(split)) == ["a", "a", "b"]
