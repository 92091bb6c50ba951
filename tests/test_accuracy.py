"""docs/accuracy.md: its recipes exist, and the command that trains them goes on where it stopped."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest

from foveate.benchmarks import accuracy
from foveate.pipeline.runs.recipes import list_recipes


def test_the_page_names_each_recipe_with_its_command(root: Path) -> None:
    text = (root / "docs" / "accuracy.md").read_text()
    assert set(re.findall(r"fit --config (\w+)", text)) == {entry.recipe for entry in accuracy.ENTRIES}
    assert {entry.recipe for entry in accuracy.ENTRIES} <= set(list_recipes())


def test_only_trainings_whose_files_were_given_are_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["accuracy.py", "--camvid", "c"])
    options = accuracy.parse()
    assert [entry.recipe for entry in accuracy.chosen(options)] == ["camvid_segnext_t"]
    words = accuracy.command(accuracy.ENTRIES[1], 3, options, Path("out"))
    assert words[words.index("--seed_everything") + 1] == "3"
    assert "--trainer.max_steps" not in words


def test_tables_tell_the_mean_each_seed_and_what_was_shortened(tmp_path: Path) -> None:
    for seed, miou in ((0, 0.5), (1, 0.6)):
        scores = {"miou": miou, "iou": {"sky": miou, "pole": 0.1}}
        result = {"recipe": "camvid_segnext_t", "seed": seed, "steps": 9, "shortened": 9, "wall": 2, "cpu": 3}
        (tmp_path / f"a-9-{seed}.json").write_text(json.dumps({**result, "scores": scores}))
    lines = list(accuracy.tables(tmp_path))
    assert lines[2] == "| `camvid_segnext_t` | 9, shortened | 0, 1 | 55.0 | 50.0, 60.0 | 2 | 3 |"
    assert "sky 55.0, pole 10.0" in lines[3]


@pytest.mark.slow
def test_a_training_is_kept_and_not_done_again(
    camvid_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--camvid", str(camvid_root), "--only", "camvid_segnext_t", "--steps", "1", "--out", str(tmp_path)]
    words += ["--", "--data.batch_size=2", "--data.crop=[32,32]", "--data.num_workers=0", "--trainer.accelerator=cpu"]
    monkeypatch.setattr(sys, "argv", ["accuracy.py", *words])
    accuracy.main()
    first = capsys.readouterr().out
    assert "| `camvid_segnext_t` | 1, shortened | 0 |" in first
    monkeypatch.setattr(accuracy, "train", lambda *given: pytest.fail("it was trained again"))
    accuracy.main()
    assert capsys.readouterr().out.splitlines()[-4:] == first.splitlines()[-4:]
