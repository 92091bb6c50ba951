"""`foveate data stats`: a table, JSON, and lines that a recipe takes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from foveate.cli import main
from foveate.datasets.labels import CITYSCAPES


def test_the_table_names_every_class_and_the_lines_are_a_recipes(
    cityscapes_root: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FOVEATE_RUN_DIR", "")
    assert main(["data", "stats", str(cityscapes_root), "--sample", "4"]) == 0
    printed = capsys.readouterr().out
    assert all(name in printed for name in CITYSCAPES.names)
    assert "6 images, of which 4 were measured, evenly spread" in printed
    lines = yaml.safe_load(printed.partition("lines for a recipe:")[2])
    (tmp_path / "r.yaml").write_text(
        yaml.safe_dump(
            {
                "model": {"class_path": "SegmentationTask", **lines["model"]},
                "data": {"name": "cityscapes", "crop": [32, 32], "batch_size": 2, "num_workers": 0},
                "trainer": {"fast_dev_run": True},
            }
        )
    )
    assert main(["fit", "--config", "r.yaml", "--data.root", str(cityscapes_root)]) == 0


def test_json_alone_goes_to_the_output(cityscapes_root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "stats", str(cityscapes_root), "--json", "-"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["schema"] == 1
    assert [one["name"] for one in found["classes"]] == list(CITYSCAPES.names)
    assert sum(one["share"] for one in found["classes"]) == pytest.approx(1)
    assert set(found["classes"][0]["class_weights"]) == {"median_frequency", "enet", "inverse_sqrt"}


def test_a_classification_and_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "stats", "digits_vit_ti", "--json", str(tmp_path / "s.json")]) == 0
    assert "objects" not in capsys.readouterr().out
    found = json.loads((tmp_path / "s.json").read_text())
    assert found["images"]["sizes"] == [{"height": 8, "width": 8, "images": 1293}]
    assert found["images"]["mean"] == pytest.approx([0.306] * 3, abs=1e-3)


def test_a_sample_of_nothing_is_refused(cityscapes_root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "stats", str(cityscapes_root), "--sample", "0"]) == 2
    assert "sample is at least 1, not 0" in capsys.readouterr().err
