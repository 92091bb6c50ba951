"""CamVid in the layout of the SegNet tutorial."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from foveate.datasets.camvid import CamVidDataModule
from foveate.datasets.errors import DataError


def module(root: Path) -> CamVidDataModule:
    return CamVidDataModule(str(root), crop=(32, 32), batch_size=2, num_workers=0)


@pytest.mark.parametrize(("split", "count"), [("train", 4), ("val", 2)])
def test_pairs_are_found(camvid_root: Path, split: str, count: int) -> None:
    pairs = module(camvid_root).find_pairs(split)
    assert len(pairs) == count
    assert all((pair.image.stem, pair.label.parent.name) == (pair.label.stem, f"{split}annot") for pair in pairs)


def test_void_is_ignored(camvid_root: Path) -> None:
    data = module(camvid_root)
    data.setup("validate")
    assert set(next(iter(data.val_dataloader()))["mask"].unique().tolist()) == {0, 3, 8, 255}


def test_fitting_needs_no_test_split(camvid_root: Path) -> None:
    module(camvid_root).setup("fit")
    with pytest.raises(DataError, match=r"test: no such folder. CamVid's folder holds"):
        module(camvid_root).setup("test")


def test_a_missing_label_folder_is_named(camvid_root: Path) -> None:
    shutil.rmtree(camvid_root / "trainannot")
    with pytest.raises(DataError, match="trainannot: no such folder"):
        module(camvid_root).setup("fit")


def test_an_empty_split_is_an_error(camvid_root: Path) -> None:
    for path in [*camvid_root.glob("val/*"), *camvid_root.glob("valannot/*")]:
        path.unlink()
    with pytest.raises(DataError, match="no images in the val split"):
        module(camvid_root).setup("validate")


def test_the_real_set_is_complete(shared: Path) -> None:
    data = module(shared / "data/camvid")
    data.setup("fit")
    assert (len(data.find_pairs("train")), len(data.find_pairs("val"))) == (367, 101)
    batch = next(iter(data.val_dataloader()))
    assert batch["image"].shape == (1, 3, 360, 480)
    assert batch["mask"].unique().max() == 255
