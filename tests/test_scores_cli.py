"""Scores, steps and last words of the command: each says what it is of."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from foveate.cli import main
from foveate.pipeline.loggers.csv import read_log

SMALL = [
    "--data.batch_size=2",
    "--data.num_workers=0",
    "--data.crop=[32,32]",
    "--trainer.log_every_n_steps=1",
    "--trainer.accelerator=cpu",
]
LATEST = Path("runs/latest")


@pytest.fixture(autouse=True)
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs are kept below the current folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FOVEATE_RUN_DIR", "")
    monkeypatch.setenv("PL_GLOBAL_SEED", "0")
    monkeypatch.setenv("PL_SEED_WORKERS", "0")


def fit(root: Path, steps: int, *words: str, interval: float = 2) -> int:
    flags = [f"--trainer.max_steps={steps}", f"--trainer.val_check_interval={interval}"]
    return main(["fit", "--config", "synthetic_segnext_t", "--data.root", str(root), *SMALL, *flags, *words])


def validated_steps() -> list[int]:
    return [int(row["step"]) for row in read_log(LATEST / "metrics.csv") if row.get("val/miou")]


def evaluation(name: str) -> Any:
    return json.loads((LATEST / name).read_text())["evaluation"]


@pytest.mark.parametrize(("steps", "interval", "expected"), [(3, 2, [2, 3]), (2, 50, [2]), (4, 2, [2, 4])])
def test_the_last_step_is_validated_once(cityscapes_root: Path, steps: int, interval: int, expected: list[int]) -> None:
    assert fit(cityscapes_root, steps, interval=interval) == 0
    assert validated_steps() == expected
    assert evaluation("val-last.json")["step"] == steps
    assert (LATEST / "checkpoints" / "best.ckpt").is_file()


@pytest.mark.parametrize(
    "words",
    [
        ["--trainer.max_steps=-1", "--trainer.max_epochs=1", "--trainer.check_val_every_n_epoch=1"],
        ["--trainer.check_val_every_n_epoch=1"],
    ],
)
def test_the_last_step_is_validated_when_epochs_count(cityscapes_root: Path, words: list[str]) -> None:
    assert fit(cityscapes_root, 2, *words, interval=1.0) == 0
    assert evaluation("val-best.json")["step"] == validated_steps()[-1] == evaluation("val-last.json")["step"]
    assert (LATEST / "checkpoints" / "best.ckpt").is_file()


@pytest.mark.slow
def test_a_run_that_goes_on_is_validated_at_its_end(cityscapes_root: Path) -> None:
    assert fit(cityscapes_root, 1, interval=2) == 0
    assert main(["fit", "--ckpt_path", "last", "--trainer.max_steps", "3"]) == 0
    assert validated_steps() == [1, 2, 3]


def test_without_validation_the_last_lines_say_so(cityscapes_root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert fit(cityscapes_root, 2, "--trainer.limit_val_batches=0") == 0
    printed = capsys.readouterr().out
    assert "Never validated, so there is no best.ckpt" in printed
    assert "best:" not in printed
    assert {path.name for path in (LATEST / "checkpoints").iterdir()} == {"last.ckpt", "manifest.json"}
    assert main(["validate", "--ckpt_path", "best"]) == 4
    assert "it was never validated" in capsys.readouterr().err


def test_a_score_file_says_what_was_scored(cityscapes_root: Path) -> None:
    assert fit(cityscapes_root, 2) == 0
    said = evaluation("val-best.json")
    assert said["checkpoint"] == "synthetic_segnext_t/0001/checkpoints/best.ckpt"
    assert (said["step"], said["split"], said["images"], said["partial"]) == (2, "val", 3, False)
    assert said["data"] == {"class": "CityscapesDataModule", "root": str(cityscapes_root)}
    assert said["pixels"] == sum(json.loads((LATEST / "val-best.json").read_text())["pixels"].values())
    assert said["settings"]["engine"] == "torch"
    assert said["settings"]["inference"]["mode"] == "whole"


def test_a_limited_evaluation_is_partial_and_replaces_nothing(
    cityscapes_root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fit(cityscapes_root, 2) == 0
    before = (LATEST / "val-best.json").read_text()
    assert main(["validate", "--ckpt_path", "best", "--trainer.limit_val_batches", "1"]) == 0
    assert "part of it" in capsys.readouterr().out
    assert (LATEST / "val-best.json").read_text() == before
    (other,) = LATEST.glob("val-best-*partial*.json")
    said = evaluation(other.name)
    assert (said["partial"], said["images"], said["of_images"]) == (True, 1, 3)


def test_a_limit_of_the_training_does_not_limit_its_evaluations(cityscapes_root: Path) -> None:
    assert fit(cityscapes_root, 2, "--trainer.limit_val_batches=1") == 0
    assert not (LATEST / "val-best.json").exists()
    assert len(list(LATEST.glob("val-best-*partial*.json"))) == 1
    assert main(["validate", "--ckpt_path", "best"]) == 0
    assert evaluation("val-best.json")["images"] == 3


@pytest.mark.parametrize("words", [["--engine", "folded"], ["--model.inference.mode=slide"]])
def test_another_way_to_evaluate_replaces_nothing(cityscapes_root: Path, words: list[str]) -> None:
    assert fit(cityscapes_root, 1) == 0
    assert main(["test", "--ckpt_path", "best"]) == 0
    assert (evaluation("test-best.json")["split"], evaluation("test-best.json")["scored_split"]) == ("test", "val")
    before = (LATEST / "test-best.json").read_text()
    assert main(["test", "--ckpt_path", "best", *words]) == 0
    assert (LATEST / "test-best.json").read_text() == before
    assert len(list(LATEST.glob("test-best-*.json"))) == 1


@pytest.mark.slow
def test_the_scores_of_an_earlier_checkpoint_are_kept(cityscapes_root: Path) -> None:
    assert fit(cityscapes_root, 1) == 0
    assert main(["test", "--ckpt_path", "last"]) == 0
    assert main(["fit", "--ckpt_path", "last", "--trainer.max_steps", "2"]) == 0
    assert main(["test", "--ckpt_path", "last"]) == 0
    assert evaluation("test-last.json")["step"] == 2
    assert evaluation("test-last-step-000001.json")["step"] == 1


def test_latest_stays_with_the_run_that_trained(cityscapes_root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert fit(cityscapes_root, 1) == 0
    for path in (cityscapes_root / "gtFine" / "train").rglob("*labelIds.png"):
        Image.fromarray(np.full((64, 128), 77, dtype=np.uint8)).save(path)
    assert fit(cityscapes_root, 1) == 3
    assert LATEST.resolve().name == "0001"
    capsys.readouterr()
    assert main(["validate", "--ckpt_path", "best"]) == 0
    said = capsys.readouterr().err.splitlines()[0]
    assert said.startswith("checkpoint runs/synthetic_segnext_t/0001/checkpoints/best.ckpt: step 1, segnext_t, ")
    assert said.endswith("segmentation of 19 classes (cityscapes)") or "segmentation of 19 classes" in said


def test_no_step_at_all_still_makes_a_checkpoint(cityscapes_root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert fit(cityscapes_root, 0) == 0
    assert "no step was trained: max_steps 0 is reached" in capsys.readouterr().out
    assert evaluation("val-last.json")["step"] == 0
    assert {path.name for path in (LATEST / "checkpoints").iterdir()} == {"last.ckpt", "manifest.json"}
    assert main(["fit", "--ckpt_path", "last", "--trainer.max_steps", "1"]) == 0
    assert evaluation("val-best.json")["step"] == 1


def test_a_finished_run_says_why_nothing_is_trained(cityscapes_root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert fit(cityscapes_root, 2) == 0
    assert main(["fit", "--ckpt_path", "last"]) == 0
    last = capsys.readouterr().out.strip().splitlines()[-1]
    assert "at step 2, nothing is left to train up to --trainer.max_steps 2" in last
    assert last.endswith("last.ckpt --trainer.max_steps 4")


def test_a_step_has_one_number_everywhere(cityscapes_root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert fit(cityscapes_root, 2) == 0
    captured = capsys.readouterr()
    printed = captured.out + captured.err
    assert "step 2/2 | " in printed
    assert "val/miou 0." not in printed
    assert [int(row["step"]) for row in read_log(LATEST / "metrics.csv")] == [1, 2, 2]
    assert [path.name for path in (LATEST / "overlays").iterdir()] == ["step-000002"]


def test_a_damaged_log_does_not_cost_the_end_of_a_training(cityscapes_root: Path) -> None:
    assert fit(cityscapes_root, 1) == 0
    log = LATEST / "metrics.csv"
    log.write_bytes(log.read_bytes() + log.read_bytes().splitlines()[0] + b"\n\xff\xfe,broken\n3,0.")
    assert main(["fit", "--ckpt_path", "last", "--trainer.max_steps", "2"]) == 0
    assert validated_steps() == [1, 2]


@pytest.mark.slow
def test_pictures_are_as_many_and_as_frequent_as_asked(cityscapes_root: Path) -> None:
    assert fit(cityscapes_root, 5, "--pictures.count=1", "--pictures.every=2", interval=1) == 0
    assert sorted(path.name for path in (LATEST / "overlays").iterdir()) == [
        "step-000002",
        "step-000004",
        "step-000005",
    ]
    assert len(list((LATEST / "overlays").rglob("*.png"))) == 3
    assert fit(cityscapes_root, 1, "--pictures.count=0") == 0
    assert not (LATEST / "overlays").exists()


def test_the_summary_has_pictures_and_what_was_run(cityscapes_root: Path) -> None:
    assert fit(cityscapes_root, 2) == 0
    page = (LATEST / "summary.md").read_text()
    for text in (
        "](overlays/step-000002/",
        "](curves.png)",
        "- command: `foveate fit --config",
        "pixels %",
        "- machine:",
    ):
        assert text in page
