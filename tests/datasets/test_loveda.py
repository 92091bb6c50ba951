"""LoveDA in the layout of its archives."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from foveate.datasets.errors import DataError
from foveate.datasets.loveda import LoveDADataModule


def module(root: Path, **options: object) -> LoveDADataModule:
    return LoveDADataModule(str(root), crop=(32, 32), batch_size=2, num_workers=0, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(("scenes", "counts"), [("both", [4, 2, 2]), ("Urban", [2, 1, 1]), ("Rural", [2, 1, 1])])
def test_images_of_both_scenes_or_of_one(loveda_root: Path, scenes: str, counts: list[int]) -> None:
    data = module(loveda_root, scenes=scenes)
    assert [len(data.find_pairs(split)) for split in ("train", "val", "test")] == counts


def test_a_number_may_stand_in_both_scenes(loveda_root: Path) -> None:
    for kind in ("images_png", "masks_png"):
        shutil.copy(loveda_root / f"Train/Urban/{kind}/1.png", loveda_root / f"Train/Rural/{kind}/1.png")
    pairs = module(loveda_root).find_pairs("train")
    assert len(pairs) == 5
    assert all(pair.image.parent.parent == pair.label.parent.parent for pair in pairs)


def test_ids_begin_at_1_and_0_is_ignored(loveda_root: Path) -> None:
    data = module(loveda_root)
    pair = data.find_pairs("val")[0]
    stored = np.asarray(Image.open(pair.label)).astype(int)
    assert np.array_equal(data.reader().read(pair)[1], np.where(stored == 0, 255, stored - 1))
    assert (data.label_set.names[0], data.label_set.names[6]) == ("background", "agriculture")


def test_a_missing_folder_says_what_to_unpack(loveda_root: Path) -> None:
    with pytest.raises(DataError, match=r"did you mean --data.root .*/LoveDA\?"):
        module(loveda_root.parent).setup("fit")
    shutil.rmtree(loveda_root / "Val/Rural")
    with pytest.raises(DataError, match=r"Val/Rural/masks_png: no such folder. Unpack Train.zip and Val.zip"):
        module(loveda_root).setup("fit")
