"""docs/evaluation.md: the commands on official scores run as they stand, on small data."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from foveate.cli import main
from foveate.tests.pipeline.scoring.official import CLASS_IDS

DOCS = Path(__file__).resolve().parents[1] / "docs"
SECTION = (DOCS / "evaluation.md").read_text().split("\n## Official scores")[1].split("\n## ")[0]
COMMANDS = [line.strip() for line in SECTION.splitlines() if line.startswith("    foveate ")]
FIT = (
    "fit --config synthetic_segnext_t --data.root ~/cityscapes --data.batch_size=2 --data.num_workers=0 "
    "--data.crop=[32,32] --trainer.max_steps=1 --trainer.max_epochs=-1 --trainer.val_check_interval=1 "
    "--trainer.check_val_every_n_epoch=null"
)


def save(path: Path, ids: tuple[int, ...]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.array(ids, np.uint8).repeat(4).reshape(-1, 4)).save(path)


@pytest.mark.slow
def test_the_commands_run_one_after_the_other(
    cityscapes_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FOVEATE_RUN_DIR", "")
    monkeypatch.setenv("HOME", str(tmp_path))
    save(tmp_path / "ADEChallengeData2016/annotations/validation/a.png", (0, 1, 2, 150))
    save(tmp_path / "ade_predictions/a.png", (5, 0, 2, 149))
    save(tmp_path / "VOCdevkit/VOC2012/SegmentationClass/a.png", (0, 15, 255))
    (tmp_path / "VOCdevkit/VOC2012/ImageSets/Segmentation").mkdir(parents=True)
    (tmp_path / "VOCdevkit/VOC2012/ImageSets/Segmentation/val.txt").write_text("a\n")
    save(tmp_path / "voc_predictions/a.png", (0, 14, 0))
    (tmp_path / "classes.yaml").write_text("[sky, road]")
    save(tmp_path / "masks/val/a.png", (0, 1, 1))
    save(tmp_path / "my_predictions/a.png", (0, 0, 1))
    assert main(shlex.split(FIT.replace("~", str(tmp_path)))) == 0
    assert len(COMMANDS) == 7
    for command in COMMANDS:
        words = shlex.split(command.replace("~", str(tmp_path)))[1:]
        small = ["--split", "val", "--count", "3", "--size", "64x128"] if words[0] == "submit" else []
        assert main([*words, *small]) == 0, command


def test_the_ids_of_the_text_are_those_of_the_classes() -> None:
    assert "(7 road, 8 sidewalk ..." in SECTION
    assert CLASS_IDS[:2] == (7, 8)


def test_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", SECTION):
        assert target.startswith("https://") or (DOCS / target).is_file(), target


@pytest.mark.slow
def test_the_commands_on_several_views_run(
    cityscapes_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    section = (DOCS / "evaluation.md").read_text().split("\n## Several views")[1].split("\n## ")[0]
    commands = [line.strip() for line in section.splitlines() if line.startswith("    foveate ")]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FOVEATE_RUN_DIR", "")
    assert main(shlex.split(FIT.replace("~/cityscapes", str(cityscapes_root)))) == 0
    capsys.readouterr()
    assert main(shlex.split(commands[0])[1:]) == 0
    assert "6 scales and their mirror images averaged" in capsys.readouterr().out
    assert len(list(Path("runs/latest").glob("val-best-*.json"))) == 1  # beside the scores of the training
    digits = ["fit", "--config", "digits_mobilenet_v2", "--trainer.max_steps=1", "--trainer.max_epochs=-1"]
    assert main([*digits, "--trainer.val_check_interval=1", "--trainer.check_val_every_n_epoch=null"]) == 0
    assert main([*shlex.split(commands[1])[1:], "--data.crop_ratio=0.875"]) == 0


@pytest.mark.slow
def test_the_commands_on_reports_run(cityscapes_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    section = (DOCS / "evaluation.md").read_text().split("\n## The report of a run")[1].split("\n## ")[0]
    commands = [line.strip() for line in section.splitlines() if line.startswith("    foveate ")]
    assert len(commands) == 3
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FOVEATE_RUN_DIR", "")
    assert main(shlex.split(FIT.replace("~/cityscapes", str(cityscapes_root)))) == 0
    for command in commands:
        assert main(shlex.split(command)[1:]) == 0, command
