"""A data set's folder that is not there: the message says what such a folder holds and where it comes from."""

from __future__ import annotations

from pathlib import Path

import pytest

from foveate.datasets.ade20k import ADE20KDataModule
from foveate.datasets.camvid import CamVidDataModule
from foveate.datasets.cifar10 import Cifar10DataModule
from foveate.datasets.cityscapes import CityscapesDataModule
from foveate.datasets.coco_stuff164k import COCOStuff164kDataModule
from foveate.datasets.errors import DataConfigError, DataError
from foveate.datasets.folder import FolderDataModule
from foveate.datasets.image_folder import ImageFolderDataModule
from foveate.datasets.loading.data_module import LoadingDataModule
from foveate.datasets.loveda import LoveDADataModule
from foveate.datasets.patches import CityscapesPatchesDataModule
from foveate.datasets.potsdam import PotsdamDataModule
from foveate.datasets.text import near_path
from foveate.datasets.voc2012 import VOC2012DataModule

HOLD: dict[type[LoadingDataModule], str] = {
    ADE20KDataModule: "Unpack ADEChallengeData2016.zip",
    CamVidDataModule: "CamVid's folder holds train/ trainannot/",
    Cifar10DataModule: "Expected cifar-10-python.tar.gz",
    CityscapesDataModule: "Unpack leftImg8bit_trainvaltest.zip and gtFine_trainvaltest.zip",
    CityscapesPatchesDataModule: "Unpack leftImg8bit_trainvaltest.zip and gtFine_trainvaltest.zip",
    COCOStuff164kDataModule: "Unpack train2017.zip and val2017.zip into images/",
    ImageFolderDataModule: "Expected train/CLASS/*.jpg",
    LoveDADataModule: "Unpack Train.zip and Val.zip",
    PotsdamDataModule: "the 14 of the contest's test",
    VOC2012DataModule: "Unpack VOCtrainval_11-May-2012.tar",
}


@pytest.mark.parametrize("module", HOLD, ids=lambda module: module.__name__)
def test_a_missing_folder_is_answered_with_what_it_holds(module: type[LoadingDataModule], tmp_path: Path) -> None:
    absent = tmp_path / "quite another name"
    with pytest.raises(DataError) as caught:
        module(str(absent)).existing_root()
    assert str(caught.value).startswith(f"{absent}: no such folder (--data.root). ")
    assert HOLD[module] in str(caught.value)
    with pytest.raises(DataConfigError, match=r"give --data\.root DIR, or root: in the recipe\. ") as config:
        module(None).existing_root()
    assert HOLD[module] in str(config.value)


def test_a_name_that_is_nearly_right_is_answered_with_the_right_one(tmp_path: Path) -> None:
    (tmp_path / "camvid").mkdir()
    with pytest.raises(DataError, match=r"no such folder \(--data\.root\); did you mean '.*camvid'\?$"):
        CamVidDataModule(str(tmp_path / "camvd")).existing_root()


def test_a_folder_in_any_arrangement_is_only_missed(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no such folder \(--data\.root\)$"):
        FolderDataModule(str(tmp_path / "mine")).existing_root()


def test_a_similar_path_is_told_whole_so_that_it_can_be_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "data/scenes/train").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    assert near_path("data/scenez") == "; did you mean 'data/scenes'?"
    assert near_path("data/scenez/train") == "; did you mean 'data/scenes/train'?"
    assert near_path("dat/scenes/train/") == "; did you mean 'data/scenes/train'?"
    assert near_path("data/scenez/val") == near_path("elsewhere/scenes") == near_path("/no/such/scenes") == ""
    assert near_path("dta") == "; did you mean 'data'?"
