"""Cross-validation: parts of the training images that are left out in turn."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from foveate.datasets.cityscapes import CityscapesDataModule
from foveate.datasets.errors import DataConfigError, DataError
from foveate.datasets.folder import FolderDataModule
from foveate.datasets.image_folder import ImageFolderDataModule
from foveate.datasets.loading.folds import Fold, parse_fold
from foveate.tests.conftest import save
from foveate.tests.datasets.drawn_masks import KINDS, write_data_set


def names_of(data: CityscapesDataModule | FolderDataModule, split: str) -> set[str]:
    return {pair.image.name for pair in data.pairs_of(split)}


def test_each_image_is_left_out_once(cityscapes_root: Path) -> None:
    every = names_of(CityscapesDataModule(str(cityscapes_root)), "train")
    parts = [CityscapesDataModule(str(cityscapes_root), fold=f"{number}/3") for number in (1, 2, 3)]
    left_out = [names_of(data, "val") for data in parts]
    assert [len(names) for names in left_out] == [2, 2, 2]
    assert set.union(*left_out) == every
    for data, names in zip(parts, left_out, strict=True):
        assert names_of(data, "train") == every - names


def test_the_order_of_files_decides_nothing() -> None:
    names = [f"frame{number}" for number in range(20)]
    kept, _ = Fold(2, 4).divide(names)
    turned, _ = Fold(2, 4).divide(names[::-1])
    assert {names[place] for place in kept} == {names[::-1][place] for place in turned}


def test_groups_stay_together(tmp_path: Path) -> None:
    write_data_set(tmp_path, KINDS["values"], {"train": 12, "val": 1})
    data = FolderDataModule(str(tmp_path), fold="1/2", group=r"\d(?=\.png)")  # the last digit
    ends = [{Path(name).stem[-1] for name in names_of(data, split)} for split in ("train", "val")]
    assert ends[0]
    assert ends[1]
    assert not ends[0] & ends[1]
    assert set(data.groups_of("val")) == ends[1]


def test_images_in_class_folders_are_divided_too(tmp_path: Path) -> None:
    for name in "ab":
        for number in range(6):
            for split in ("train", "val"):
                save(np.zeros((8, 8, 3), np.uint8), tmp_path / split / name / f"{number}.png")
    data = ImageFolderDataModule(str(tmp_path), fold="3/3", group=r"\d")
    train, val = (data.images_of(split) for split in ("train", "val"))
    assert (len(train), len(val)) == (8, 4)
    assert len({Path(val.where(index)).stem for index in range(4)}) == 2
    assert len(data.groups_of("val")) == 4


@pytest.mark.parametrize("text", ["0/5", "6/5", "1/1", "two", "1-2"])
def test_a_fold_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(DataConfigError, match="NUMBER/COUNT, such as 2/5"):
        parse_fold(text)


def test_fewer_images_than_parts_are_refused() -> None:
    with pytest.raises(DataError, match="2 images, or groups of them, do not fill 3 folds"):
        Fold(1, 3).divide(["a", "b"])
