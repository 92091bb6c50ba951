"""Cityscapes in its own layout, and the mistakes users make with it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from foveate.datasets.cityscapes import CityscapesDataModule
from foveate.datasets.errors import DataConfigError, DataError

FRAME = "frankfurt_000000_000019"


def module(root: Path, **options: object) -> CityscapesDataModule:
    return CityscapesDataModule(str(root), crop=(32, 32), batch_size=2, num_workers=0, **options)  # type: ignore[arg-type]


def label(root: Path, kind: str = "labelIds") -> Path:
    return root / f"gtFine/val/frankfurt/{FRAME}_gtFine_{kind}.png"


@pytest.mark.parametrize(("split", "count"), [("train", 6), ("val", 3)])
def test_pairs_of_every_city_are_found(cityscapes_root: Path, split: str, count: int) -> None:
    pairs = module(cityscapes_root).find_pairs(split)
    assert len(pairs) == count
    for pair in pairs:
        assert pair.image.name.replace("_leftImg8bit", "") == pair.label.name.replace("_gtFine_labelIds", "")


def rename(root: Path, folder: str, pattern: str, change: Callable[[str], str]) -> None:
    for path in sorted((root / folder).rglob(pattern)):
        path.rename(path.with_name(change(path.name)))


def test_names_with_any_underscores_pair_by_what_stands_before_the_suffix(cityscapes_root: Path) -> None:
    for folder in ("leftImg8bit", "gtFine"):
        rename(cityscapes_root, folder, "frankfurt_*", lambda name: name.replace("frankfurt_000000", "new_york_a_b"))
    (cityscapes_root / "leftImg8bit/val/frankfurt").rename(cityscapes_root / "leftImg8bit/val/new_york")
    (cityscapes_root / "gtFine/val/frankfurt").rename(cityscapes_root / "gtFine/val/new_york")
    pairs = module(cityscapes_root).find_pairs("val")
    assert len(pairs) == 3
    for pair in pairs:
        assert pair.image.name.split("_leftImg8bit")[0] == pair.label.name.split("_gtFine")[0]


def test_names_that_share_a_beginning_never_pair_wrongly(cityscapes_root: Path) -> None:
    image = cityscapes_root / f"leftImg8bit/val/frankfurt/{FRAME}_leftImg8bit.png"
    image.rename(image.with_name(f"{FRAME}_night_leftImg8bit.png"))
    with pytest.raises(DataError, match="2 unpaired in the val split"):
        module(cityscapes_root).find_pairs("val")


def test_images_may_be_jpeg_and_foggy(cityscapes_root: Path) -> None:
    shutil.copytree(cityscapes_root / "leftImg8bit", cityscapes_root / "leftImg8bit_foggy")
    for beta in ("0.01", "0.02"):
        for path in sorted((cityscapes_root / "leftImg8bit").rglob("*.png")):
            foggy = Path(str(path).replace("leftImg8bit", "leftImg8bit_foggy", 1)).parent
            shutil.copy(path, foggy / f"{path.stem}_foggy_beta_{beta}.png")
    for path in (cityscapes_root / "leftImg8bit_foggy").rglob("*_leftImg8bit.png"):
        path.unlink()
    options = {"image_dir": "leftImg8bit_foggy", "image_suffix": "_leftImg8bit_foggy_beta_0.02"}
    assert len(module(cityscapes_root, **options).find_pairs("train")) == 6
    with pytest.raises(
        DataError, match=r"no images in the train split end with _leftImg8bit_foggy, such as .*give --data.image_suffix"
    ):
        module(cityscapes_root, image_dir="leftImg8bit_foggy").find_pairs("train")
    for path in (cityscapes_root / "leftImg8bit").rglob("*.png"):
        Image.open(path).save(path.with_suffix(".jpg"))
        path.unlink()
    assert len(module(cityscapes_root).find_pairs("train")) == 6


def test_coarse_labels_are_read_by_folder(cityscapes_root: Path) -> None:
    (cityscapes_root / "gtFine").rename(cityscapes_root / "gtCoarse")
    rename(cityscapes_root, "gtCoarse", "*.png", lambda name: name.replace("gtFine", "gtCoarse"))
    for folder in ("leftImg8bit", "gtCoarse"):
        (cityscapes_root / folder / "train").rename(cityscapes_root / folder / "train_extra")
    data = module(cityscapes_root, mask_dir="gtCoarse", train_split="train_extra")
    assert (len(data.find_pairs("train")), len(data.find_pairs("val"))) == (6, 3)


def test_label_ids_become_train_ids(cityscapes_root: Path) -> None:
    data = module(cityscapes_root)
    data.setup("validate")
    batch = next(iter(data.val_dataloader()))
    stored = np.asarray(Image.open(label(cityscapes_root)))
    assert np.array_equal(batch["mask"][0], data.label_set.to_train_ids()[stored])
    assert set(batch["mask"].unique().tolist()) == {0, 1, 2, 8, 10, 11, 13, 18, 255}


def test_label_train_ids_are_read_where_asked(cityscapes_root: Path) -> None:
    table = module(cityscapes_root).id_table()
    for path in (cityscapes_root / "gtFine/val").rglob("*_labelIds.png"):
        trained = table[np.asarray(Image.open(path))]
        Image.fromarray(trained).save(str(path).replace("labelIds", "labelTrainIds"))
    by_ids, by_train_ids = module(cityscapes_root), module(cityscapes_root, labels="labelTrainIds")
    for data in (by_ids, by_train_ids):
        data.setup("validate")
    masks = [next(iter(data.val_dataloader()))["mask"] for data in (by_ids, by_train_ids)]
    assert np.array_equal(*masks)


def test_label_ids_in_files_of_train_ids_are_reported(cityscapes_root: Path) -> None:
    label(cityscapes_root).rename(label(cityscapes_root, "labelTrainIds"))
    for path in cityscapes_root.glob("*/val/*/frankfurt_00000[12]*"):
        path.unlink()
    data = module(cityscapes_root, labels="labelTrainIds")
    data.setup("validate")
    with pytest.raises(DataError, match=r"labelTrainIds.png: label id out of range: .*Are these train ids"):
        next(iter(data.val_dataloader()))


def test_missing_label_train_ids_are_an_error(cityscapes_root: Path) -> None:
    with pytest.raises(DataError, match="3 unpaired in the val split"):
        module(cityscapes_root, labels="labelTrainIds").setup("validate")


def test_an_image_without_labels_is_named(cityscapes_root: Path) -> None:
    label(cityscapes_root).unlink()
    with pytest.raises(DataError, match=f"1 unpaired in the val split: .*{FRAME}_leftImg8bit.png has no label map"):
        module(cityscapes_root).setup("validate")


def test_hidden_files_are_passed_over(cityscapes_root: Path) -> None:
    image = cityscapes_root / f"leftImg8bit/val/frankfurt/{FRAME}_leftImg8bit.png"
    for path in (image, label(cityscapes_root)):
        path.with_name(f"._{path.name}").touch()  # as macOS leaves them
    assert len(module(cityscapes_root).find_pairs("val")) == 3


def test_a_missing_folder_says_what_to_unpack(cityscapes_root: Path) -> None:
    shutil.rmtree(cityscapes_root / "gtFine")
    with pytest.raises(DataError, match=r"gtFine/train: no such folder. Unpack leftImg8bit_trainvaltest.zip"):
        module(cityscapes_root).setup("fit")


def test_data_one_folder_down_is_pointed_out(cityscapes_root: Path) -> None:
    with pytest.raises(DataError) as caught:
        module(cityscapes_root.parent).setup("fit")
    assert f"did you mean --data.root {cityscapes_root}?" in str(caught.value)


def test_a_missing_root_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nowhere: no such folder \(--data.root\)"):
        module(tmp_path / "nowhere").setup("fit")


def test_no_root_asks_for_one() -> None:
    with pytest.raises(DataConfigError, match="where is the data") as caught:
        CityscapesDataModule(num_workers=0).setup("fit")
    assert caught.value.exit_code == 2


def test_without_a_root_nothing_is_said_of_a_test(said: pytest.LogCaptureFixture) -> None:
    with pytest.raises(DataConfigError, match="where is the data"):
        _ = CityscapesDataModule(num_workers=0).in_channels
    assert not said.text


def test_testing_scores_val_and_says_so(cityscapes_root: Path, said: pytest.LogCaptureFixture) -> None:
    data = module(cityscapes_root)
    data.setup("test")
    tested = [path for batch in data.test_dataloader() for path in batch["path"]]
    assert len(tested) == 3
    assert all("/val/" in path for path in tested)
    assert "the figures below are of val" in said.text


def test_a_real_frame_is_read(shared: Path) -> None:
    data = module(shared / "data/cityscapes-sample")
    data.setup("validate")
    batch = next(iter(data.val_dataloader()))
    assert batch["image"].shape == (1, 3, 128, 256)
    trained = next((shared / "data/cityscapes-sample/gtFine").rglob("*_labelTrainIds.png"))
    same = batch["mask"][0].numpy() == np.asarray(Image.open(trained))
    assert same.mean() > 0.995  # the two files were reduced apart, and differ along edges
