"""The commands and the code of docs/evaluation.md on intervals, records and compare-runs."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

import pytest

from foveate.cli import main
from foveate.tests.conftest import write_frame

pytestmark = pytest.mark.slow
HEADINGS = ("How certain a score is", "The record of each image", "Comparing finished runs")
SMALL = (
    *("--data.batch_size=2", "--data.num_workers=0", "--data.crop=[32,32]", "--trainer.accelerator=cpu"),
    *("--trainer.val_check_interval=1", "--trainer.max_steps=1", "--pictures.count=0"),
)


@pytest.fixture
def sections(root: Path) -> list[str]:
    page = (root / "docs" / "evaluation.md").read_text()
    return [section for section in page.split("\n## ") if section.startswith(HEADINGS)]


@pytest.fixture
def runs(cityscapes_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two runs and two folders of predictions, in the current folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FOVEATE_RUN_DIR", "")
    monkeypatch.setenv("PL_GLOBAL_SEED", "0")
    monkeypatch.setenv("PL_SEED_WORKERS", "0")
    for number in (3, 4, 5):
        write_frame(cityscapes_root, "val", f"frankfurt_{number:06d}_000019", seed=number)
    shutil.copytree(cityscapes_root, "data/scenes")
    for seed in ("1", "2"):
        words = ["--config=synthetic_segnext_t", "--data.root=data/scenes", f"--seed_everything={seed}"]
        assert main(["fit", *words, *SMALL]) == 0
    assert main(["predict", "--ckpt_path=best", "--data.images=data/scenes/leftImg8bit/val", "--out=labelled_a"]) == 0
    shutil.copytree("labelled_a", "labelled_b")


def test_the_commands_run_one_after_the_other_and_then_the_code(
    sections: list[str], runs: None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert len(sections) == len(HEADINGS)
    text = "\n".join(sections)
    commands = re.findall(r"^    foveate (.*?)(?: {2,}#.*)?$", text, flags=re.MULTILINE)
    assert len(commands) >= 10
    for command in commands:
        assert main(shlex.split(command)) == 0, command
    for name in ("images.csv", "images.parquet", "effects.json", "effects.png"):
        assert Path(name).is_file()
    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    capsys.readouterr()
    exec(code, {})
    assert "frankfurt" in capsys.readouterr().out
