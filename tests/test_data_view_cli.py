"""`foveate data view`: a page beside the data, or where it is asked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from foveate.cli import main


def test_a_page_is_written_beside_the_data(cityscapes_root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "view", str(cityscapes_root), "--count", "3", "--data.crop=[32,32]", "--seed", "4"]) == 0
    page = (cityscapes_root / ".foveate/view.html").read_text()
    assert "view.html written" in capsys.readouterr().out
    assert page.count("<h3>leftImg8bit/train/") == 3
    assert "epoch 0 with seed 4" in page


def test_a_recipe_and_another_split(cityscapes_root: Path, tmp_path: Path) -> None:
    words = ["cityscapes_segnext_t", "--data.root", str(cityscapes_root), "--split", "val"]
    assert main(["data", "view", *words, "--out", str(tmp_path / "v.html")]) == 0
    assert (tmp_path / "v.html").read_text().count("<h3>") == 3


def test_classes_of_images_are_shown(tmp_path: Path) -> None:
    assert main(["data", "view", "digits_vit_ti", "--count", "4", "--out", str(tmp_path / "d.html")]) == 0
    assert (tmp_path / "d.html").read_text().count("class: ") == 4


def test_mistakes_are_one_line(cityscapes_root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "view", str(cityscapes_root), "--count", "0"]) == 2
    assert "count is at least 1, not 0" in capsys.readouterr().err
    assert main(["data", "view", str(cityscapes_root), "--split", "dev"]) == 2
    assert "accepted: train, val, test" in capsys.readouterr().err
    assert main(["data", "view", str(cityscapes_root), "--data.sampling", "rare"]) == 2
    assert "accepted: natural, rare_classes" in capsys.readouterr().err
    words = ["--data.copy_paste={classes: [dragon]}", "--count", "1"]
    assert main(["data", "view", str(cityscapes_root), *words]) == 2
    assert "copy_paste: no class named 'dragon'" in capsys.readouterr().err
