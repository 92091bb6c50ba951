"""The commands `validate --per_image` and `compare-runs`, from trainings to words and files."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from foveate.cli import main
from foveate.pipeline.per_image.files import read_record
from foveate.pipeline.per_image.record import LabelRecord, PixelRecord
from foveate.tests.conftest import write_frame

pytestmark = pytest.mark.slow

SMALL = (
    *("--data.batch_size=2", "--data.num_workers=0", "--data.crop=[32,32]", "--trainer.accelerator=cpu"),
    *("--trainer.val_check_interval=1", "--pictures.count=0", "--trainer.enable_progress_bar=false"),
)
RUNS = Path("runs/synthetic_segnext_t")


@pytest.fixture(autouse=True)
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs are kept below the current folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FOVEATE_RUN_DIR", "")
    monkeypatch.setenv("PL_GLOBAL_SEED", "0")
    monkeypatch.setenv("PL_SEED_WORKERS", "0")


@pytest.fixture
def six_frames(cityscapes_root: Path) -> Path:
    """Six val frames: enough for intervals."""
    for number in (3, 4, 5):
        write_frame(cityscapes_root, "val", f"frankfurt_{number:06d}_000019", seed=number)
    return cityscapes_root


def fit(root: Path, steps: int, *words: str) -> None:
    given = ["--config", "synthetic_segnext_t", f"--data.root={root}", *SMALL, f"--trainer.max_steps={steps}", *words]
    assert main(["fit", *given]) == 0


def scores(path: Path) -> Any:
    return json.loads(path.read_text())


def test_a_training_leaves_a_record_and_intervals_that_agree_with_its_scores(
    six_frames: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fit(six_frames, 1)
    run = RUNS / "0001"
    for which in ("best", "last"):
        found, record = scores(run / f"val-{which}.json"), read_record(run / f"val-{which}-images.csv")
        assert isinstance(record, PixelRecord)
        confusion = np.array(found["confusion"])
        wanted = np.concatenate([confusion.diagonal(), confusion.sum(1), confusion.sum(0)])
        classes = np.concatenate([part[:, :19].sum(0) for part in record.parts()])
        assert classes.tolist() == wanted.tolist()
        assert found["interval"] == {"level": 0.95, "of": "images", "count": 6, "draws": 2000}
        assert found["miou_interval"][0] <= found["miou"] <= found["miou_interval"][1]
        assert found["levels"]["categories"]["miou_interval"] is not None
    assert "in brackets: 95 % interval, over 6 images" in capsys.readouterr().out
    before = scores(run / "val-best.json")
    assert main(["validate", f"--ckpt_path={run}/checkpoints/best.ckpt", "--per_image"]) == 0
    assert scores(run / "val-best.json") == before


def test_three_frames_have_no_interval_and_a_word_why(
    cityscapes_root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fit(cityscapes_root, 1)
    said = "no 95 % intervals: 3 images, and an interval needs at least 5"
    assert said in capsys.readouterr().out
    assert main(["validate", "--ckpt_path=last", "--data.group=city"]) == 0
    assert "no 95 % intervals: 1 group, and an interval needs at least 5" in capsys.readouterr().out


def test_runs_checkpoints_records_and_engines_are_compared(
    six_frames: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fit(six_frames, 1)
    fit(six_frames, 3, "--seed_everything=1")
    for name in ("a.csv", "b.parquet"):
        assert main(["validate", f"--ckpt_path={RUNS}/0001/checkpoints/best.ckpt", f"--per_image={name}"]) == 0
    words = [f"{RUNS}/0001", f"{RUNS}/0002", "b.parquet", "--json=c.json", "--plot=c.png"]
    assert main(["compare-runs", *words]) == 0
    out = capsys.readouterr().out
    assert f"{RUNS}/0001 and b.parquet cannot be told apart by mIoU: +0.00" in out
    found = scores(Path("c.json"))
    assert [(pair["first"], pair["second"]) for pair in found["pairs"]] == [
        (f"{RUNS}/0001", f"{RUNS}/0002"),
        (f"{RUNS}/0001", "b.parquet"),
        (f"{RUNS}/0002", "b.parquet"),
    ]
    one, two = (scores(RUNS / number / "val-best.json")["miou"] for number in ("0001", "0002"))
    assert found["pairs"][0]["miou"]["difference"] == pytest.approx(two - one, abs=2e-6)
    assert Path("c.png").stat().st_size > 5000
    assert main(["compare-runs", "a.csv", f"{RUNS}/0001@folded", "--json", "-"]) == 0
    assert json.loads(capsys.readouterr().out)["pairs"][0]["miou"]["difference"] == pytest.approx(0, abs=0.01)


def test_what_does_not_fit_is_an_error_in_one_line(six_frames: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fit(six_frames, 1)
    record = RUNS / "0001" / "val-best-images.csv"
    with record.open(newline="") as file:
        lines = list(csv.reader(file))
    with Path("fewer.csv").open("w", newline="") as file:
        csv.writer(file).writerows(lines[:-1])
    for code, said, words in (
        (3, "1 of 6 images are not in all runs", [str(record), "fewer.csv"]),
        (2, "two different runs", [str(record)]),
        (3, "no such file or folder", [str(record), "none.csv"]),
        (2, "no engine 'native'", [str(record), f"{RUNS}/0001@native"]),
        (2, "--truth DATA", [str(record), str(six_frames)]),
    ):
        capsys.readouterr()
        assert main(["compare-runs", *words]) == code
        assert said in capsys.readouterr().err.strip().splitlines()[-1]
    assert main(["compare-runs", str(record), "fewer.csv", "--leave_out"]) == 0
    assert "left out, since not in all runs: " in capsys.readouterr().out
    assert main(["fit", "--config=synthetic_segnext_t", "--per_image"]) == 2
    assert "--per_image is for validate and test" in capsys.readouterr().err


def test_folders_of_predictions_are_compared(six_frames: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fit(six_frames, 1)
    images = six_frames / "leftImg8bit" / "val"
    assert main(["predict", "--ckpt_path=best", f"--data.images={images}", "--out=p"]) == 0
    shutil.copytree("p/labels", "q")
    words = ["p", "q", f"{RUNS}/0001", f"--truth={six_frames}", "--dataset=cityscapes", "--json=c.json"]
    assert main(["compare-runs", *words]) == 0
    found = scores(Path("c.json"))["pairs"]
    assert [pair["miou"]["difference"] for pair in found] == pytest.approx([0, 0, 0], abs=1e-6)
    assert found[0]["miou"]["first"] == pytest.approx(scores(RUNS / "0001" / "val-best.json")["miou"], abs=1e-6)


def test_classifiers_have_a_record_too(capsys: pytest.CaptureFixture[str]) -> None:
    flags = ["--config=digits_vit_ti", "--trainer.accelerator=cpu", "--trainer.max_steps=2", "--data.num_workers=0"]
    flags += ["--trainer.val_check_interval=2", "--trainer.check_val_every_n_epoch=null", "--trainer.max_epochs=-1"]
    assert main(["fit", *flags, "--trainer.enable_progress_bar=false"]) == 0
    run = Path("runs/digits_vit_ti/0001")
    found, record = scores(run / "val-best.json"), read_record(run / "val-best-images.csv")
    assert isinstance(record, LabelRecord)
    assert (record.label == record.predicted).mean() == pytest.approx(found["acc"], abs=1e-6)
    assert (record.rank <= 5).mean() == pytest.approx(found["acc5"], abs=1e-6)
    for key in ("acc", "acc5", "macc"):
        low, high = found[f"{key}_interval"]
        assert low <= found[key] <= high
    assert len(found["accuracy_interval"]) == 10
    assert main(["compare-runs", str(run), f"{run}@folded"]) == 0
    assert "cannot be told apart by accuracy" in capsys.readouterr().out
