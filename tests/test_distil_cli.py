"""`foveate distil` and `foveate compare --start distilled` through the command."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file

from foveate.cli import main
from foveate.pipeline.comparison import run
from foveate.pipeline.distillation.teacher import Teacher
from foveate.pipeline.errors import Stopped

pytestmark = pytest.mark.slow
TEACHER = ["--teacher", "mobilenet_v2_035", "--teacher_weights", "random"]
BUDGET = ["--steps", "8", "--batch_size", "2", "--size", "32", "--num_workers", "0"]
OUT = Path("weights.safetensors")
FIT = ["--data.batch_size=2", "--data.num_workers=0", "--data.crop=[32,32]", "--trainer.max_steps=1"]


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    random = np.random.default_rng(0)
    for number in range(6):
        pixels = random.integers(256, size=(8, 8, 3), dtype=np.uint8)
        Image.fromarray(pixels).resize((48, 40)).save(folder / f"{number}.png")
    return folder


@pytest.fixture(autouse=True)
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FOVEATE_RUN_DIR", "")


def distil(photos: Path, *words: str, gate: str = "se") -> int:
    given = ["--attention.gate", gate, "--data", str(photos), "--out", str(OUT)]
    return main(["distil", "segnext_t", *TEACHER, *BUDGET, *given, *words])


def made(path: Path) -> dict[str, Any]:
    with safe_open(path, framework="pt") as file:
        found: dict[str, Any] = json.loads(file.metadata()["distilled"])
    return found


def test_weights_are_for_the_same_block_and_say_what_they_were_made_from(
    photos: Path, cityscapes_root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert distil(photos, "--lr", "0.003", "--steps", "40") == 0, capsys.readouterr().err
    assert f"--model.weights {OUT}" in capsys.readouterr().out
    facts = made(OUT)
    assert facts["teacher"] == "mobilenet_v2_035 with random"
    assert (facts["network"], facts["steps"], facts["seed"], facts["image_count"]) == ("segnext_t", 40, 0, 6)
    assert len(facts["teacher_digest"]) == len(facts["images_digest"]) == 64
    assert facts["similarity"] > 0.2  # from about 0
    assert not (OUT.with_suffix(".run") / "checkpoints").exists()

    fit = ["fit", "--config", "synthetic_segnext_t", "--data.root", str(cityscapes_root), *FIT]
    assert main([*fit, "--model.weights", str(OUT), "--model.attention.gate", "se"]) == 0, capsys.readouterr().err
    assert "encoder 100.0%: 350 loaded, 0 adapted, 0 missing" in capsys.readouterr().err
    assert main([*fit, "--model.weights", str(OUT), "--model.attention.gate", "lka"]) == 4
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert 'made with attention {"gate": "se"}, and this model has LargeKernelAttention' in error

    before = OUT.read_bytes()
    assert distil(photos, "--lr", "0.003", "--steps", "40") == 0
    assert "done before" in capsys.readouterr().err
    assert OUT.read_bytes() == before
    assert distil(photos, "--lr", "0.003", "--steps", "41") == 2
    assert "steps 40 there, 41 here" in capsys.readouterr().err
    shutil.rmtree(OUT.with_suffix(".run"))  # the file itself says what it was made from
    assert distil(photos, "--lr", "0.003", "--steps", "41") == 2
    assert "was not made by this distillation" in capsys.readouterr().err
    assert distil(photos, "--lr", "0.003", "--steps", "40") == 0
    assert OUT.read_bytes() == before


def test_an_interrupted_one_goes_on_as_if_nothing_had_been(
    photos: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert distil(photos) == 0, capsys.readouterr().err
    whole = load_file(OUT)
    OUT.rename("whole.safetensors")
    OUT.with_suffix(".run").rename("whole.run")

    features, calls = Teacher.features, []

    def interrupted(self: Teacher, images: torch.Tensor) -> list[torch.Tensor]:
        calls.append(len(images))
        if len(calls) == 7:  # three for standardising, then the fourth step
            os.kill(os.getpid(), signal.SIGINT)
        return features(self, images)

    monkeypatch.setattr(Teacher, "features", interrupted)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored by tests that run in the background
    assert distil(photos) == 130
    signal.signal(signal.SIGINT, before)
    said = capsys.readouterr().err
    assert "last good checkpoint" in said
    assert "(step 4); resume: foveate distil segnext_t" in said
    assert not OUT.exists()
    assert distil(photos) == 0
    ended = load_file(OUT)
    assert len(calls) == 3 + 8
    assert all(torch.equal(tensor, ended[name]) for name, tensor in whole.items())
    assert made(OUT)["similarity"] == made(Path("whole.safetensors"))["similarity"]


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["--data", "x"], 2, "--teacher is missing"),
        (["--teacher", "mscan_t"], 2, "--data is missing"),
        ([*TEACHER, "--data", "nowhere"], 3, "nowhere: no such file or folder"),
        ([*TEACHER, "--data", "nowhere", "--steps", "0"], 2, "--steps and --batch_size are at least 1"),
        ([*TEACHER, "--data", "x", "--attention.gait", "se"], 2, "no attention slot 'gait'"),
        ([*TEACHER, "--data", "x", "--attention.gate", "see"], 2, "did you mean 'se'"),
        ([*TEACHER, "--data", ".", "--out", "weights.pt"], 2, "a .safetensors file"),
        (["--teacher", "photo.png", "--data", "."], 4, "photo.png"),
    ],
)
def test_a_mistake_is_one_line(words: list[str], code: int, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    Image.new("RGB", (40, 40)).save("photo.png")
    assert main(["distil", "mscan_t", *words]) == code
    error = capsys.readouterr().err.strip()
    assert message in error
    assert len(error.splitlines()) == 1


def test_a_checkpoint_of_ours_teaches_an_encoder_of_another_library(
    photos: Path, cityscapes_root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["fit", "--config", "synthetic_segnext_t", "--data.root", str(cityscapes_root), *FIT]) == 0
    teacher = ["--teacher", "runs/latest", "--data", str(photos), "--out", str(OUT)]
    assert main(["distil", "timm:test_convnext", *teacher, *BUDGET]) == 0, capsys.readouterr().err
    assert made(OUT)["teacher"] == "runs/latest"
    assert main(["distil", "timm:test_convnext", *teacher, "--teacher_weights", "random"]) == 4


def compare(root: Path, photos: Path, *words: str) -> int:
    small = ["--seeds", "1", "--steps", "2", "--rounds", "1", "--field", "0", *FIT[:3]]
    lesson = [word.replace("--", "--distil.", 1) for word in (*TEACHER, *BUDGET, "--data", str(photos))]
    return main(["compare", "synthetic_segnext_t", *small, "--data.root", str(root), *lesson, *words])


def interrupted(*args: object) -> None:
    raise Stopped(signal.SIGINT)


def test_a_comparison_starts_from_distilled_encoders_and_keeps_them(
    photos: Path, cityscapes_root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--start", "distilled", "--blocks"]
    assert compare(cityscapes_root, photos, *words, "none,se") == 0, capsys.readouterr().err
    out = Path("comparisons/synthetic_segnext_t-gate")
    encoders = {path.name: path.stat().st_mtime_ns for path in (out / "distilled").glob("*.safetensors")}
    assert sorted(name.split("-")[0] for name in encoders) == ["none", "se"]
    with (out / "comparison.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert all(float(row["start_seconds"]) > 0 and -1 <= float(row["start_similarity"]) <= 1 for row in rows)
    text = (out / "comparison.md").read_text()
    assert "distilled from mobilenet_v2_035 with random, without labels, in 8 steps of 2 crops" in text
    assert "start similarity" in text
    assert "start similarity" in (out / "comparison.html").read_text()

    for cell in (out / "cells").glob("*/result.npz"):
        cell.unlink()  # trained again, from the same encoders
    with monkeypatch.context() as patch:
        patch.setattr(run, "run_cell", interrupted)
        assert compare(cityscapes_root, photos, *words, "none,se") == 130  # Ctrl-C is no fault of a block
    capsys.readouterr()
    assert compare(cityscapes_root, photos, *words, "none,se") == 0
    assert capsys.readouterr().err.count("done before") == 2
    assert encoders.items() <= {p.name: p.stat().st_mtime_ns for p in (out / "distilled").glob("*.safetensors")}.items()
    assert compare(cityscapes_root, photos, "--blocks", "none") == 2  # options of a start that was not asked for
    assert "--distil.teacher needs --start distilled" in capsys.readouterr().err
    assert compare(cityscapes_root, photos, *words, "none", "--model.weights", "x") == 2
    assert "leave --model.weights out" in capsys.readouterr().err
    assert compare(cityscapes_root, photos, *words, "none,se", "--distil.steps", "9") == 2
    assert "comparison with other settings" in capsys.readouterr().err
