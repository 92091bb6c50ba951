"""Commands that report, read by a program: one JSON document on standard output, and nothing else there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jaxtyping
import pytest

from foveate.cli import main
from foveate.pipeline.json_option import is_json_target
from foveate.pipeline.processes.last_line import wants_json
from foveate.plugins.output import to_json
from foveate.tests.conftest import write_cityscapes

pytestmark = pytest.mark.slow
FIT = ["fit", "--config", "synthetic_segnext_t"]
DATA = ["--data.root=cityscapes", "--data.crop=[32,32]", "--data.batch_size=2", "--data.num_workers=0"]
STEPS = ["--trainer.max_steps=2", "--trainer.val_check_interval=2", "--trainer.accelerator=cpu", "--report=false"]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with data and a run."""
    folder = tmp_path_factory.mktemp("json")
    write_cityscapes(folder / "cityscapes")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert main([*FIT, *STEPS, *DATA]) == 0
    return folder


@pytest.fixture
def here(place: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(place)
    return place


def answer(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    """The document that a command prints."""
    capsys.readouterr()
    assert main([*words]) == 0, capsys.readouterr().err
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert found.pop("schema") == 1
    return found


def test_fit(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = answer(capsys, *FIT, *STEPS, *DATA, "--trainer.default_root_dir=other", "--json")
    assert Path(found["run"]).parent == here / "other/synthetic_segnext_t"
    assert all(Path(found["checkpoints"][which]).is_file() for which in ("best", "last"))
    last = found["scores"]["last"]
    assert last["evaluation"]["step"] == 2
    words = ["--ckpt_path", found["checkpoints"]["last"], "--data.num_workers=0", "--json"]
    assert answer(capsys, "validate", *words)["miou"] == pytest.approx(last["miou"])
    assert answer(capsys, "fit", "--ckpt_path", found["checkpoints"]["last"], "--json")["run"] == found["run"]


def test_a_dry_run(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = answer(capsys, *FIT, *STEPS, *DATA, "--dry_run", "--json")
    assert (found["dry_run"], found["images"], found["steps"]) == (True, 2, 2)
    assert found["step_seconds"] > 0
    assert found["peak_bytes"] > 1e8


def test_scores_go_to_a_file_and_the_table_to_standard_output(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["validate", "--ckpt_path=last", "--data.num_workers=0", "--json", "scores.json"]) == 0
    assert "all pixels" in capsys.readouterr().out
    assert 0 <= json.loads(Path("scores.json").read_text())["miou"] <= 1
    images = ["--data.images=cityscapes/leftImg8bit/val", "--out=drawn"]
    assert main(["predict", "--ckpt_path=last", *images, "--json=predicted.json"]) == 0
    assert "images: " in capsys.readouterr().out
    assert json.loads(Path("predicted.json").read_text())["written"] > 0


def test_verify(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = answer(capsys, "verify", "--json", "runs/latest", "--steps", "2")
    assert found["steps"] == 2
    assert found["places"][0]["bound"] == 0


def test_report(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = answer(capsys, "report", "--json", "runs/latest")
    assert Path(found["page"]).is_file()
    assert len(found["runs"]) == 1


def test_figures_go_to_a_file_and_the_text_to_standard_output(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", "runs/latest", "--json", "figures.json"]) == 0
    assert capsys.readouterr().out.startswith("report: ")
    assert json.loads(Path("figures.json").read_text())["page"].endswith("report.html")


@pytest.fixture
def shapes_unchecked() -> Iterator[None]:
    """Sizes are symbols in a captured graph."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


@pytest.mark.usefixtures("shapes_unchecked")
def test_export(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--size", "32x64", "--out", "m.onnx"]
    found = answer(capsys, "export", "last", *words, "--json")
    assert found["passed"]
    assert found["sizes"][0]["size"] == [32, 64]
    assert (found["file"], found["gives"]) == ("m.onnx", "logits")


def test_push_and_pull(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pushed = answer(capsys, "push", "runs/latest", "./published", "--json")
    assert "model.safetensors" in pushed["files"]
    pulled = answer(capsys, "pull", "./published", "copy", "--json")
    assert (pulled["folder"], len(pulled["classes"])) == ("copy", 19)


def test_bench(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--size", "64x64", "--rounds", "1", "--engine", "torch", "--num_classes", "2"]
    found = answer(capsys, "bench", "mobilenet_v2_035", *words, "--json", "-")
    assert found["network"] == "mobilenet_v2_035"
    assert found["measures"]["latencies"]["torch"]["median"] > 0


def test_compare(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--blocks", "none,se", "--seeds=1", "--steps=1", "--rounds=1", "--field=64"]
    found = answer(capsys, "compare", "synthetic_segnext_t", *words, *DATA, "--json")
    assert (found["baseline"], found["score"]) == ("none", "mIoU")
    assert [one["block"] for one in found["blocks"]] == ["none", "se"]
    se = found["blocks"][1]
    assert se["gain"] == pytest.approx(se["mean"] - found["blocks"][0]["mean"])
    assert se["costs"]["parameters"] > found["blocks"][0]["costs"]["parameters"]
    words[0:2] = ["--blocks", "none,se,eca"]
    again = answer(capsys, "compare", "synthetic_segnext_t", *words, *DATA, "--json", "--dry_run")
    assert again == {"folder": "comparisons/synthetic_segnext_t-gate", "trainings": ["eca, seed 0: 1 steps"]}


def test_what_json_has_no_number_for_is_null() -> None:
    assert json.loads(to_json({"a": float("nan"), "b": [float("inf"), 1.5], "c": {"d": (float("-inf"),)}})) == {
        "schema": 1,
        "a": None,
        "b": [None, 1.5],
        "c": {"d": [None]},
    }


@pytest.mark.parametrize(
    ("words", "printed"),
    [
        ("verify --json runs/latest", True),
        ("verify runs/latest --json", True),
        ("verify runs/latest --json -", True),
        ("verify runs/latest --json --steps 3", True),
        ("verify runs/latest --json found.json", False),
        ("verify runs/latest --json=found.txt", False),
        ("doctor --json false", False),
    ],
)
def test_json_without_a_value_is_standard_output(words: str, printed: bool) -> None:
    assert wants_json(words.split()) is printed


def test_a_file_is_told_from_a_place_by_its_ending() -> None:
    assert [is_json_target(word) for word in ("-", "a/b.json", "runs/latest", "", "--x.json")] == [
        *(True, True, False, False, False),
    ]


def test_a_dry_push_publishes_nothing(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["push", "runs/latest", "./nowhere", "--dry_run"]) == 0
    told = capsys.readouterr().out
    assert "model.safetensors: " in told
    assert "nothing was published" in told
    assert not Path("nowhere").exists()
    answered = answer(capsys, "push", "runs/latest", "jane/model", "--dry_run", "--json")  # asks no server, no token
    assert "model.safetensors" in answered["files"]


def test_a_dry_search_writes_nothing(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("optuna")
    Path("space.yaml").write_text("model.optimizer.lr: {low: 1e-5, high: 1e-3, log: true}\n")
    words = ["synthetic_segnext_t", "space.yaml", "--trials=7", *DATA, "--dry_run"]
    assert main(["tune", *words]) == 0
    told = capsys.readouterr().out
    assert "model.optimizer.lr: 1e-05 to 0.001, on a logarithmic scale" in told
    assert "7 trials would run, 0 are done" in told
    assert not Path("studies").exists()
    assert answer(capsys, "tune", *words, "--json") == {
        "folder": "studies/synthetic_segnext_t",
        "done": 0,
        "left": 7,
    }


def test_a_dry_distillation_trains_nothing(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["segnext_t", "--teacher=runs/latest", "--data=cityscapes/leftImg8bit/train", "--dry_run", "--json"]
    answered = answer(capsys, "distil", *words)
    assert (answered["images"], answered["steps"]) == (6, 2000)
    assert not Path("distilled").exists()
