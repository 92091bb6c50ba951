"""ISPRS Potsdam: tiles, and label maps in colour."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from foveate.datasets.errors import DataConfigError, DataError
from foveate.datasets.potsdam import PotsdamDataModule

KNOWN = {(255, 255, 255): 0, (0, 0, 255): 1, (255, 255, 0): 4, (255, 0, 0): 5}


def module(root: Path, **options: object) -> PotsdamDataModule:
    return PotsdamDataModule(str(root), crop=(32, 32), batch_size=2, num_workers=0, **options)  # type: ignore[arg-type]


def mask(data: PotsdamDataModule) -> tuple[np.ndarray, np.ndarray]:
    pair = data.find_pairs("val")[0]
    return data.reader().read(pair)[1], np.asarray(Image.open(pair.label))


def test_24_tiles_train_and_the_contests_14_are_scored(potsdam_root: Path) -> None:
    data = module(potsdam_root)
    train, val, test = ({pair.image.name for pair in data.find_pairs(split)} for split in ("train", "val", "test"))
    assert (len(train), len(val), train & val) == (24, 14, set())
    assert val == test
    assert {"top_potsdam_7_7_RGB.tif", "top_potsdam_2_10_RGB.tif"} <= train
    assert {"top_potsdam_7_13_RGB.tif", "top_potsdam_2_14_RGB.tif"} <= val


@pytest.mark.parametrize(
    ("colour", "number"), [((255, 255, 255), 0), ((0, 0, 255), 1), ((255, 255, 0), 4), ((255, 0, 0), 5)]
)
def test_colours_become_train_ids(potsdam_root: Path, colour: tuple[int, int, int], number: int) -> None:
    ids, stored = mask(module(potsdam_root))
    assert (stored == colour).all(-1).any()
    assert np.array_equal(ids == number, (stored == colour).all(-1))


def test_boundaries_are_ignored_where_the_files_leave_them_out(potsdam_root: Path) -> None:
    ids, stored = mask(module(potsdam_root, boundary=False))
    assert np.array_equal(ids == 255, (stored == 0).all(-1))
    assert (ids == 255).any()


def test_a_class_can_be_ignored(potsdam_root: Path) -> None:
    ids, stored = mask(module(potsdam_root, ignore=5))
    assert np.array_equal(ids == 255, (stored == (255, 0, 0)).all(-1))


def test_a_tile_can_be_left_out_of_training(potsdam_root: Path) -> None:
    names = [pair.image.name for pair in module(potsdam_root, leave_out=["7_10"]).find_pairs("train")]
    assert len(names) == 23
    assert "top_potsdam_7_10_RGB.tif" not in names
    with pytest.raises(DataConfigError, match=r"no train tile '7_13'"):
        module(potsdam_root, leave_out=["7_13"])


def test_a_colour_of_no_class_is_counted(potsdam_root: Path) -> None:
    data = module(potsdam_root)
    pair = data.find_pairs("val")[0]
    Image.fromarray(np.full((32, 32, 3), (252, 255, 0), dtype=np.uint8)).save(pair.label)
    with pytest.raises(DataError, match=r"\[252, 255, 0\] \(1024 px\)"):
        data.reader().read(pair)


def test_missing_tiles_are_counted(potsdam_root: Path) -> None:
    for folder in ("2_Ortho_RGB", "5_Labels_all"):
        for path in (potsdam_root / folder).glob("top_potsdam_7_[789]_*"):
            path.unlink()
    with pytest.raises(DataError, match=r"no tile 7_7, and 2 more of the train split"):
        module(potsdam_root).find_pairs("train")


def test_a_missing_folder_says_what_to_unpack(potsdam_root: Path) -> None:
    with pytest.raises(DataError, match=r"3_Ortho_IRRG: no such folder. Unpack 2_Ortho_RGB.zip"):
        module(potsdam_root, channels="IRRG").setup("fit")
