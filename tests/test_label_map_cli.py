"""Label maps and levels of scores through the real command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from foveate.cli import main

SMALL = [
    *("--data.batch_size=2", "--data.num_workers=0", "--data.crop=[32,32]", "--trainer.max_steps=2"),
    *("--trainer.val_check_interval=2", "--trainer.accelerator=cpu", "--model.network=mobilenet_v2_035+light_ham"),
    *("--model.attention={}", "--model.inference.mode=whole"),
]


@pytest.fixture(autouse=True)
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs are kept below the current folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FOVEATE_RUN_DIR", "")
    monkeypatch.setenv("PL_GLOBAL_SEED", "0")
    monkeypatch.setenv("PL_SEED_WORKERS", "0")


def fit(root: Path, *words: str) -> int:
    return main(["fit", "--config", "cityscapes_segnext_t", "--data.root", str(root), *SMALL, *words])


def scores() -> dict[str, dict[str, object]]:
    found: dict[str, dict[str, object]] = json.loads(Path("runs/latest/val-last.json").read_text())
    return found


def test_a_run_keeps_its_label_map_without_the_file(cityscapes_root: Path) -> None:
    label_map = {"classes": {"vehicle": ["car", "truck", "bus"]}, "ignore": ["sky"]}
    Path("map.yaml").write_text(yaml.safe_dump(label_map))
    assert fit(cityscapes_root, "--data.label_map", "map.yaml") == 0
    recipe = yaml.safe_load(Path("runs/latest/recipe.yaml").read_text())
    assert recipe["data"]["init_args"]["label_map"] == label_map
    Path("map.yaml").unlink()
    before = scores()
    assert list(before["iou"])[:2] == ["vehicle", "road"]
    assert "sky" not in before["iou"]
    assert main(["validate", "--ckpt_path", "last"]) == 0
    assert scores() == before


def test_34_ids_are_scored_as_19_classes_and_7_categories_too(
    cityscapes_root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fit(cityscapes_root, "--data.classes", "all") == 0
    found = scores()
    assert len(found["iou"]) == 34
    levels = found["levels"]
    assert [(name, len(levels[name]["iou"])) for name in levels] == [("classes", 19), ("categories", 7)]  # type: ignore[arg-type,index]
    capsys.readouterr()
    assert main(["validate", "--ckpt_path", "last"]) == 0
    printed = capsys.readouterr().out
    assert "categories:" in printed
    assert "construction" in printed
    assert "scores written to runs/cityscapes_segnext_t/0001/val-last.json" in printed


def test_a_label_map_that_does_not_fit_is_one_line(cityscapes_root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert fit(cityscapes_root, "--data.label_map={ignore: [skyy]}") == 2
    error = capsys.readouterr().err.strip()
    assert "no class 'skyy'; did you mean 'sky'?" in error
    assert len(error.splitlines()) == 1
    assert fit(cityscapes_root, "--data.label_map=nope.yaml") == 3
    assert "nope.yaml: no such file (--data.label_map)" in capsys.readouterr().err
