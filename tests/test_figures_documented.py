"""docs/evaluation.md on the figures: its commands run as they stand, and each figure is there and explained."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest

from foveate.cli import main
from foveate.datasets.synthetic import write_scenes
from foveate.pipeline.metrics.create import MEANT
from foveate.pipeline.metrics.offered import METRICS

FEW = "--data.batch_size 2 --data.num_workers 0 --data.crop [32,32] --trainer.accelerator cpu"

DIGITS = "--data.num_workers 0 --trainer.accelerator cpu"


@pytest.fixture
def section(root: Path) -> str:
    return (root / "docs" / "evaluation.md").read_text().split("## What each figure means")[1].split("\n## ")[0]


def test_every_figure_is_in_the_table_with_its_default(section: str) -> None:
    table = {
        name: line
        for line in section.splitlines()
        for name in re.findall(r"`(\w+)`", line.split("|")[1:2][0] if "|" in line else "")
    }
    assert {record.name for record in METRICS} <= set(table)
    for names in MEANT.values():
        for name in names:
            assert f"`{name}`" in section.split("`all` stands for")[1].split("\n\n")[0]


@pytest.mark.slow
def test_the_commands_run_as_they_stand(
    section: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    write_scenes(Path("data/scenes"), train=4, val=3, height=64, width=128)
    commands = re.findall(r"^    foveate (.*?)(?: {2,}#.*)?$", section, flags=re.MULTILINE)
    assert len(commands) == 5
    for command in commands:
        few = FEW if command.startswith("fit") else ""
        assert main(shlex.split(f"{command} {few}")) == 0, capsys.readouterr().err
    scores = json.loads(Path("runs/latest/val-best.json").read_text())
    assert set(scores["metrics"]) == set(MEANT["segmentation"])
    assert scores["tables"]["boundary"]["columns"] == ["1 px", "3 px", "5 px"]
    assert scores["tables"]["overlap"]["means"]["all (micro)"][0] == pytest.approx(scores["aacc"], abs=1e-6)
    assert sum(row[2] for row in scores["tables"]["by_row"]["rows"].values()) == scores["evaluation"]["pixels"]
    assert (
        main(shlex.split(f"fit --config digits_mobilenet_v2 --trainer.max_steps 2 --model.metrics [all] {DIGITS}")) == 0
    )
    scores = json.loads(Path("runs/latest/val-last.json").read_text())
    assert set(scores["metrics"]) == set(MEANT["classification"])
    assert scores["tables"]["top_k"]["means"]["all images (micro)"][2] == pytest.approx(scores["acc5"], abs=1e-6)
    assert scores["metrics"]["calibration"] == pytest.approx(scores["calibration_error"], abs=1e-5)
    assert scores["metrics"]["f1"] == pytest.approx(scores["mf1"], abs=1e-6)
    assert len(capsys.readouterr().out.splitlines()) < 700  # of all six
