"""`foveate data`: finds out which data set a folder holds, and takes the options of a training."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from foveate.cli import main
from foveate.datasets.cityscapes import CityscapesDataModule
from foveate.datasets.errors import DataConfigError, DataError
from foveate.pipeline.commands.open_data import detect, path_of
from foveate.tests.datasets.drawn_masks import KINDS, write_data_set

PUBLISHED = ["cityscapes", "camvid", "ade20k", "voc2012", "coco_stuff164k", "loveda", "potsdam"]
KNOWN = [*PUBLISHED, "folder", "image_folder"]


@pytest.fixture(params=KNOWN)
def known(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, Path]:
    name = request.param
    if name in PUBLISHED:
        return name, request.getfixturevalue(f"{name}_root")
    if name == "folder":
        write_data_set(tmp_path / "mine", KINDS["values"], {"train": 2, "val": 1})
        return name, tmp_path / "mine"
    for split in ("train", "val"):
        (tmp_path / "images" / split / "cat").mkdir(parents=True)
    return name, tmp_path / "images"


def test_a_data_set_is_recognised_by_its_folders(known: tuple[str, Path]) -> None:
    name, root = known
    found = detect(root)
    assert found is not None
    assert found.name == name
    assert path_of(root) == path_of(root, name) == found.class_path


@pytest.mark.parametrize(("name", "other"), [("cityscapes", "camvid"), ("camvid", "cityscapes")])
def test_the_name_of_another_data_set_is_refused(name: str, other: str, request: pytest.FixtureRequest) -> None:
    with pytest.raises(DataConfigError, match=f"folders of {name}, not of {other}: give --dataset {name}"):
        path_of(request.getfixturevalue(f"{name}_root"), other)


def test_a_folder_that_no_data_set_recognises_says_what_to_do(camvid_root: Path, tmp_path: Path) -> None:
    (empty := tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"recognised by no data set \(asked: cityscapes, camvid, .*--dataset folder"):
        path_of(empty)
    with pytest.raises(DataError, match=r"holds no data set, but .*camvid does"):
        path_of(camvid_root.parent)
    with pytest.raises(DataError, match="no such folder"):
        path_of(empty / "none", "camvid")
    with pytest.raises(DataConfigError, match="no data set named 'camvit'; did you mean 'camvid'"):
        path_of(empty, "camvit")


def test_camvid_is_checked_without_a_word_on_cityscapes(camvid_root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "check", str(camvid_root)]) == 0
    printed = capsys.readouterr()
    assert "has the layout of camvid" in printed.out
    assert "no fault found" in printed.out
    assert main(["data", "check", str(camvid_root), "--dataset", "cityscapes"]) == 2
    error = capsys.readouterr().err
    assert "give --dataset camvid" in error
    assert ".zip" not in error


def test_labels_and_ignored_ids_are_chosen_in_check_and_pack(
    cityscapes_root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in cityscapes_root.rglob("*_labelIds.png"):
        path.rename(path.with_name(path.name.replace("labelIds", "labelTrainIds")))
    assert main(["data", "check", str(cityscapes_root)]) == 3
    words = [str(cityscapes_root), "--labels", "labelTrainIds", "--ignore", str([*range(19, 35)])]
    assert main(["data", "check", *words]) == 0
    assert main(["data", "pack", *words]) == 0
    data = CityscapesDataModule(str(cityscapes_root), labels="labelTrainIds", ignore=[*range(19, 35)], cache="packed")
    data.setup("validate")
    assert "packing 3 of 3 val images" in capsys.readouterr().err


def test_options_are_those_of_a_training_and_a_recipe_may_stand_for_a_folder(
    camvid_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["data", "check", "camvid_segnext_t", "--data.root", str(camvid_root), "--data.ignore", "[0, 1]"]) == 0
    assert "sky 0.00 %" in capsys.readouterr().out
    assert main(["data", "check", str(camvid_root), "--data.ignroe", "1"]) == 2
    assert "did you mean" in capsys.readouterr().err


def test_images_in_class_folders_are_not_packed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "train/cat").mkdir(parents=True)
    assert main(["data", "pack", str(tmp_path)]) == 2
    assert "foveate data shard" in capsys.readouterr().err


def test_classes_are_proposed_and_written_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = tmp_path / "mine"
    write_data_set(root, KINDS["values, unnamed"], {"train": 2, "val": 1})
    assert main(["data", "classes", str(root)]) == 0
    assert "- {name: class_0, value: 0" in capsys.readouterr().out
    assert not (root / "classes.yaml").exists()
    assert main(["data", "classes", str(root), "--write"]) == 0
    written = yaml.safe_load((root / "classes.yaml").read_text())
    assert [one["name"] for one in written["classes"]] == ["class_0", "class_1", "class_2"]
    assert main(["data", "classes", str(root), "--write"]) == 2


@pytest.mark.parametrize("words", [["--data", "folder"], ["--data=FolderDataModule"]])
def test_a_data_set_is_chosen_by_its_name_in_a_training(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FOVEATE_RUN_DIR", "")
    write_data_set(tmp_path / "mine", KINDS["values"], {"train": 2, "val": 1})
    small = ["--data.batch_size=2", "--data.crop=[32,32]", "--data.num_workers=0", "--trainer.fast_dev_run=true"]
    assert main(["fit", "--config", "camvid_segnext_t", *words, "--data.root", "mine", *small]) == 0
    (tmp_path / "r.yaml").write_text(
        "model: {class_path: SegmentationTask}\ndata: {name: folder, root: mine, crop: [32, 32], batch_size: 2, "
        "num_workers: 0}\ntrainer: {fast_dev_run: true}\n"
    )
    assert main(["fit", "--config", "r.yaml"]) == 0


def test_an_unknown_data_set_gets_a_hint(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fit", "--config", "camvid_segnext_t", "--data", "foldr"]) == 2
    assert "--data foldr: no such data set; did you mean 'folder'? (see: foveate plugins list --what data)" in (
        capsys.readouterr().err
    )


def planted(tmp_path: Path) -> Path:
    """A folder with a mask of a number in no class, and an image that is in two splits."""
    root = tmp_path / "mine"
    write_data_set(root, KINDS["values"], {"train": 3, "val": 2})
    shutil.copy(root / "images/train/train-0.png", root / "images/val/val-0.png")
    mask = np.array(Image.open(root / "masks/val/val-1.png"))
    mask[:2, :3] = 77
    Image.fromarray(mask).save(root / "masks/val/val-1.png")
    return root


def test_a_check_gives_json_and_a_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = planted(tmp_path)
    assert main(["data", "check", str(root), "--json", "-"]) == 3
    printed = capsys.readouterr()
    content = json.loads(printed.out)
    assert content["schema"] == 1
    assert {"labels.range", "splits.same"} <= {finding["id"] for finding in content["findings"]}
    assert "val-1.png: label id out of range: 77 (6 px)" in printed.err
    page = (root / ".foveate/check.html").read_text()
    assert "labels.range" in page
    assert "data:image/webp;base64," in page


def test_checks_are_chosen_by_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = planted(tmp_path)
    words = ["data", "check", str(root), "--page", "none"]
    assert main([*words, "--only", "pairing,sizes.differ"]) == 0
    assert main([*words, "--skip", "labels.range,splits"]) == 0
    assert not (root / ".foveate").exists()
    assert main([*words, "--only", "labels.rnge"]) == 2
    assert "did you mean 'labels.range'? (families and checks: " in capsys.readouterr().err
    assert main([*words, "--fast", "--json", str(tmp_path / "found.json")]) == 3
    found = json.loads((tmp_path / "found.json").read_text())["findings"]
    assert "splits.same" not in {finding["id"] for finding in found}


def test_a_root_that_cannot_be_written_gets_no_page_and_is_checked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_data_set(tmp_path / "mine", KINDS["values"], {"train": 3, "val": 2})
    (tmp_path / "mine/.foveate").write_text("a file stands where the folder would be")
    assert main(["data", "check", str(tmp_path / "mine")]) == 0
    assert "no page with pictures: " in capsys.readouterr().out


def test_a_training_stops_before_the_first_step_at_what_would_spoil_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    root = planted(tmp_path)
    words = ["fit", "--config", "folder_segnext_t", "--data.root", str(root), "--data.num_workers=0"]
    assert main([*words, "--data.crop=[32,32]", "--data.batch_size=2", "--trainer.max_steps=2"]) == 3
    line = capsys.readouterr().err.strip().splitlines()[-1]
    assert "val-1.png: label id out of range: 77 (6 px)" in line
    assert "--data.ignore [77]" in line
    assert "[labels.range] (all: foveate data check " in line
    assert not (tmp_path / "runs").exists()


def test_a_data_set_in_a_file_of_ones_own_is_found_and_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("foveate.plugins.manager._installed", None)
    write_data_set(tmp_path / "mine", KINDS["values"], {"train": 2, "val": 1})
    (tmp_path / "my_set.py").write_text(
        "from foveate.datasets.folder import FolderDataModule\n"
        "from foveate.plugins import DataSet, hookimpl\n\n\n"
        "class MySet(FolderDataModule):\n    pass\n\n\n"
        "@hookimpl\ndef foveate_data():\n"
        "    yield DataSet(name='my_set', summary='Mine', build='my_set:MySet', detect=lambda root: True)\n"
    )
    assert main(["data", "check", "mine", "--plugins", "my_set.py", "--data.unpaired", "skip"]) == 0
    assert "mine has the layout of my_set" in capsys.readouterr().out
