"""Images in ImageNet's layout, and the mistakes users make with it."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from foveate.datasets.doctor.doctor import diagnose
from foveate.datasets.errors import DataConfigError, DataError
from foveate.datasets.files.packed_strings import Names
from foveate.datasets.image_folder import ImageFolderDataModule

FILES = {
    "train": ("zebra/b.png", "zebra/a.JPG", "ant/1.png", "ant/grün 2.png", "bee/x.png"),
    "val": ("ant/3.png", "zebra/4.png", "bee/5.png"),
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Small images of three classes, each other than the rest."""
    for seed, name in enumerate(f"{split}/{name}" for split, names in FILES.items() for name in names):
        path = tmp_path / "insects" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(seed).integers(0, 256, (10, 12, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(path)
    return tmp_path / "insects"


def module(root: Path | None) -> ImageFolderDataModule:
    return ImageFolderDataModule(None if root is None else str(root), image_size=8, batch_size=2, num_workers=0)


def test_classes_are_numbered_by_name_and_named_before_setup(root: Path) -> None:
    assert module(root).label_set.names == ("ant", "bee", "zebra")
    assert module(root).label_set.name == "insects"


def test_every_image_has_its_folders_class(root: Path) -> None:
    data = module(root)
    data.setup("fit")
    batches = [*data.train_dataloader(), *data.val_dataloader()]
    found = {
        path: label for batch in batches for path, label in zip(batch["path"], batch["label"].tolist(), strict=True)
    }
    classes = ["ant", "bee", "zebra"]
    assert found == {str(root / s / n): classes.index(n.split("/")[0]) for s, names in FILES.items() for n in names}


def test_images_are_read_as_they_are(root: Path) -> None:
    dataset = module(root).find_images("train")
    assert np.array_equal(dataset.read(0), np.asarray(Image.open(root / "train/ant/1.png")))


def test_a_class_that_train_has_not_is_named(root: Path) -> None:
    (root / "val/zebra").rename(root / "val/wasp")
    with pytest.raises(DataError, match=r"val has classes that train has not: wasp"):
        module(root).setup("validate")


def test_a_class_that_val_has_not_is_said(root: Path, said: pytest.LogCaptureFixture) -> None:
    shutil.rmtree(root / "val/bee")
    dataset = module(root).find_images("val")
    assert "val: no images of bee" in said.text
    assert dataset.labels.tolist() == [0, 2]


def test_an_empty_class_is_named(root: Path) -> None:
    (root / "train/bee/x.png").rename(root / "train/bee/x.txt")
    with pytest.raises(DataError, match=r"train has classes without images: bee \(looked for .png") as caught:
        module(root).setup("fit")
    assert caught.value.exit_code == 3


def test_hidden_files_are_passed_over_and_strays_reported(root: Path, said: pytest.LogCaptureFixture) -> None:
    for name in (".DS_Store", "Thumbs.db", "._1.png", "notes.txt"):
        (root / "train/ant" / name).touch()
    (root / "train/.cache").mkdir()
    assert len(module(root).find_images("train")) == 5
    assert said.messages == ["train: passed over 1 that are no images: ant/notes.txt"]


def test_test_is_val_where_there_is_none_and_says_so(root: Path, said: pytest.LogCaptureFixture) -> None:
    data = module(root)
    data.setup("test")
    assert "the figures below are of val" in said.text
    assert sum(len(batch["path"]) for batch in data.test_dataloader()) == 3


def test_a_test_split_is_taken_where_there_is_one(root: Path, said: pytest.LogCaptureFixture) -> None:
    shutil.copytree(root / "train", root / "test")
    data = module(root)
    data.setup("test")
    assert said.text == ""
    assert sum(len(batch["path"]) for batch in data.test_dataloader()) == 5


def test_a_root_one_folder_too_high_is_understood(root: Path) -> None:
    with pytest.raises(DataError, match=r"train: no such folder. expected train/CLASS.* \(did you mean .*/insects\?\)"):
        module(root.parent).setup("fit")


@pytest.mark.parametrize(("train", "val"), [("Train", "valid"), ("training", "validation")])
def test_splits_may_have_other_usual_names(root: Path, train: str, val: str) -> None:
    (root / "train").rename(root / train)
    (root / "val").rename(root / val)
    data = module(root)
    data.setup("fit")
    assert (len(data.find_images("train")), len(data.find_images("val"))) == (5, 3)


@pytest.mark.parametrize("flat", [False, True])
def test_without_val_a_share_becomes_val_and_that_is_said(
    root: Path, flat: bool, said: pytest.LogCaptureFixture
) -> None:
    shutil.rmtree(root / "val")
    data = ImageFolderDataModule(str(root / "train" if flat else root), val_share=0.5, num_workers=0)
    train, val = data.find_images("train").keys(), data.find_images("val").keys()
    assert sorted([*train, *val]) == sorted(FILES["train"])
    assert val
    assert f"no val folder: {len(val)} of 5 images become val" in said.text


def test_folders_within_a_class_belong_to_it(root: Path, said: pytest.LogCaptureFixture) -> None:
    (root / "train/ant/red").mkdir()
    (root / "train/ant/1.png").rename(root / "train/ant/red/1.png")
    dataset = module(root).find_images("train")
    assert dataset.keys()[1] == "ant/red/1.png"
    assert dataset.read(1).shape == (10, 12, 3)
    assert "train: 1 images lie in folders within class folders" in said.text


def test_a_missing_root_is_an_error() -> None:
    with pytest.raises(DataConfigError, match=r"give --data\.root DIR"):
        _ = module(None).label_set
    with pytest.raises(DataError, match="/no/where: no such folder"):
        module(Path("/no/where")).setup("fit")


def test_a_damaged_image_is_named(root: Path) -> None:
    path = root / "train/bee/x.png"
    path.write_bytes(path.read_bytes()[:-40])
    data = module(root)
    data.setup("fit")
    with pytest.raises(DataError, match=r"bee/x.png: cannot be read as an image"):
        list(data.train_dataloader())


def test_a_check_lists_all_damaged_images_and_copies_at_once(root: Path) -> None:
    for name in ("train/bee/x.png", "val/ant/3.png"):
        (root / name).write_bytes((root / name).read_bytes()[:-40])
    shutil.copy(root / "train/zebra/b.png", root / "val/zebra/copy.png")
    findings = {finding.id: finding for finding in diagnose(module(root)).findings}
    assert [Path(path).name for path in findings["files.damaged"].paths] == ["x.png", "3.png"]
    assert [Path(path).name for path in findings["splits.same"].paths] == ["copy.png"]


def test_names_may_be_any_bytes() -> None:
    texts = ["", "a", "é日", "\udcff.png", "b" * 300]
    names = Names(texts)
    assert [names[index] for index in range(len(names))] == texts
