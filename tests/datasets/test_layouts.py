"""Layouts of data sets are found by their folders, and named the same everywhere."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import get_args, get_type_hints

import pytest

from foveate.cli import main
from foveate.datasets.cityscapes import CityscapesDataModule
from foveate.datasets.commands import check, pack
from foveate.datasets.errors import DataConfigError, DataError
from foveate.datasets.layouts import LAYOUTS, Layout, detect_layout, settle_layout


@pytest.fixture(params=LAYOUTS)
def known(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Layout, Path]:
    layout: Layout = request.param
    if layout != "image_folder":
        return layout, request.getfixturevalue(f"{layout}_root")
    (tmp_path / "images/train/cat").mkdir(parents=True)
    return layout, tmp_path / "images"


def test_a_layout_is_found_and_another_is_refused_with_the_right_name(known: tuple[Layout, Path]) -> None:
    layout, root = known
    assert detect_layout(root) == settle_layout(root, "auto") == settle_layout(root, layout) == layout
    for other in set(LAYOUTS) - {layout}:
        with pytest.raises(DataConfigError, match=f"folders of {layout}, not of {other}: give --dataset {layout}"):
            settle_layout(root, other)


def test_a_folder_of_no_layout_says_what_was_looked_for(camvid_root: Path, tmp_path: Path) -> None:
    (empty := tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"cityscapes: leftImg8bit/, gtFine/; camvid: .*name it with --dataset"):
        settle_layout(empty, "auto")
    with pytest.raises(DataError, match=r"holds no data set, but .*camvid does"):
        settle_layout(camvid_root.parent, "auto")
    with pytest.raises(DataError, match="no such folder"):
        settle_layout(empty / "none", "camvid")


@pytest.mark.parametrize("command", [check, pack])
def test_every_command_names_the_same_layouts_and_options(command: object) -> None:
    assert get_args(get_type_hints(command)["dataset"]) == ("auto", *LAYOUTS)
    assert {"labels", "ignore"} <= set(inspect.signature(command).parameters)  # type: ignore[arg-type]


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
    assert "packing 3 of 3 val images" in capsys.readouterr().out


def test_images_in_class_folders_are_not_packed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "train/cat").mkdir(parents=True)
    assert main(["data", "pack", str(tmp_path)]) == 2
    assert "foveate data shard" in capsys.readouterr().err
