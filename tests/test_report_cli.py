"""A training ends with a report; foveate report writes it again, and of several runs."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from foveate.cli import main

pytestmark = pytest.mark.slow
STEPS = ["--trainer.max_steps=2", "--trainer.max_epochs=-1", "--data.num_workers=0", "--trainer.accelerator=cpu"]
OFTEN = ["--trainer.val_check_interval=1", "--trainer.check_val_every_n_epoch=null"]


@pytest.fixture(autouse=True)
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FOVEATE_RUN_DIR", "")


def fit(root: Path, *more: str) -> int:
    data = ["--data.root", str(root), "--data.crop=[32,32]", "--data.batch_size=2"]
    return main(["fit", "--config", "synthetic_segnext_t", *data, *STEPS, *OFTEN, *more])


def test_a_segmentation_ends_with_a_report_whose_figures_are_those_of_validate(cityscapes_root: Path) -> None:
    assert fit(cityscapes_root) == 0
    page = Path("runs/latest/report.html").read_text()
    figures = json.loads(Path("runs/latest/val-best.json").read_text())
    assert f"mIoU {100 * figures['miou']:.1f} %" in page
    assert page.count('class="compare"') == 3  # as many images as the data set has, each once
    assert main(["validate", "--ckpt_path", "best", "--model.metrics", "[all]"]) == 0
    assert main(["report", "runs/latest"]) == 0
    again = Path("runs/latest/report.html").read_text()
    assert {"Calibration", "Errors by image row"} <= set(re.findall(r"<h2>(.*?)</h2>", again))
    assert f"mIoU {100 * figures['miou']:.1f} %" in again
    assert main(["report", "runs/latest/checkpoints/best.ckpt", "runs/latest/checkpoints/last.ckpt"]) == 0
    assert "synthetic_segnext_t 0001 last" in Path("report.html").read_text()


def test_a_report_can_be_left_out_and_needs_a_run(cityscapes_root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert fit(cityscapes_root, "--report", "false") == 0
    assert not Path("runs/latest/report.html").exists()
    assert main(["report", "nothing"]) == 4
    assert main(["report", "runs/latest", "runs/latest"]) == 2
    assert "each once" in capsys.readouterr().err


def test_a_failing_report_does_not_fail_the_training(
    cityscapes_root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("foveate.pipeline.reporting.page.all_sections", lambda runs: 1 / 0)
    assert fit(cityscapes_root) == 0
    assert "foveate: warning: no report.html: " in capsys.readouterr().err


def test_a_classifier_ends_with_a_sheet_of_its_worst_images() -> None:
    assert main(["fit", "--config", "digits_mobilenet_v2", *STEPS, *OFTEN]) == 0
    page = Path("runs/latest/report.html").read_text()
    assert page.count("<figure>") == 9
    assert "predicted" in page
