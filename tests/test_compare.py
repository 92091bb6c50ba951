"""`foveate compare` through the command: what it writes, what it does again, and what a failing plugin does."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from foveate.cli import main
from foveate.plugins import manager

pytestmark = pytest.mark.slow
SMALL = [
    "--seeds",
    "2",
    "--steps",
    "2",
    "--rounds",
    "1",
    "--field",
    "0",
    "--data.batch_size",
    "2",
    "--data.crop",
    "[32,32]",
]
FAILING = """
import torch
from torch import nn
from foveate.plugins import Block, hookimpl


class Fails(nn.Module):
    def forward(self, x):
        raise RuntimeError("it breaks when used")


def leave(channels):
    raise SystemExit(3)


@hookimpl
def foveate_blocks():
    yield Block(name="fails", summary="Fails", kind="3-D", build=lambda channels: Fails())
    yield Block(name="leaves", summary="Ends the process", kind="3-D", build=leave)
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(manager, "_installed", None)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "made_up_failing.py").write_text(FAILING)
    return tmp_path


def compare(root: Path, *words: str) -> int:
    return main(["compare", "synthetic_segnext_t", *SMALL, "--data.root", str(root), *words])


def test_blocks_are_compared_and_those_that_fail_are_rows(
    folder: Path, cityscapes_root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--blocks", "none,fails,leaves,{name: lka, kernel: 7}", "--plugins", "made_up_failing"]
    assert compare(cityscapes_root, *words) == 0, capsys.readouterr().err
    out = folder / "comparisons/synthetic_segnext_t-gate"
    with (out / "comparison.csv").open() as file:
        rows = {row["block"]: row for row in csv.DictReader(file)}
    assert list(rows) == ["none", "fails", "leaves", "lka(kernel=7)"]
    assert "it breaks when used" in rows["fails"]["fault"]
    assert "SystemExit" in rows["leaves"]["fault"]
    assert int(rows["lka(kernel=7)"]["macs"]) > int(rows["none"]["macs"]) > 0
    assert int(rows["none"]["memory_bytes"]) > 0
    assert len(rows["none"]["seeds"].split()) == 2
    assert "it breaks when used" in (out / "comparison.html").read_text()

    capsys.readouterr()
    assert compare(cityscapes_root, "--blocks", "none,{name: lka, kernel: 7},se") == 0
    said = capsys.readouterr().err
    assert said.count("done before") == 4
    assert said.count("2 steps") == 2

    assert compare(cityscapes_root, "--blocks", "none,se", "--steps", "3") == 2
    assert "comparison with other settings (steps 2 there, 3 here); choose another --out" in capsys.readouterr().err


def test_with_no_block_that_works_the_error_is_the_recipes(
    folder: Path, cityscapes_root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert compare(cityscapes_root, "--blocks", "none,se", "--slot", "gait") == 2
    assert "no attention slot 'gait'" in capsys.readouterr().err


def test_other_slots_and_networks_are_compared_too(
    folder: Path, cityscapes_root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--blocks", "none,cbam", "--slot", "decoder", "--model.network", "mobilenet_v2_035+smp:DeepLabV3Plus"]
    options = ["--model.attention", "{}", "--model.network_options", "null", "--seeds", "1"]
    assert compare(cityscapes_root, *words, *options) == 0, capsys.readouterr().err
    with (folder / "comparisons/synthetic_segnext_t-decoder/comparison.csv").open() as file:
        rows = {row["block"]: row for row in csv.DictReader(file)}
    assert int(rows["cbam"]["parameters"]) > int(rows["none"]["parameters"])


def test_several_slots_and_stages_are_compared_with_the_recipe(
    folder: Path, cityscapes_root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--blocks", "se", "--slot", "gate@3,stage", "--seeds", "1"]
    assert compare(cityscapes_root, *words) == 0, capsys.readouterr().err
    out = folder / "comparisons/synthetic_segnext_t-gate@3-stage"
    with (out / "comparison.csv").open() as file:
        rows = {row["block"]: row for row in csv.DictReader(file)}
    assert list(rows) == ["recipe", "gate@3: se", "stage: se"]
    counts = {label: int(row["parameters"]) for label, row in rows.items()}
    assert counts["gate@3: se"] < counts["recipe"] < counts["stage: se"]  # in place of msca, and in addition
    assert r"gate@3: se & " in (out / "comparison.tex").read_text()


def test_classifiers_are_compared_by_accuracy(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    few = ["--seeds=1", "--steps=2", "--rounds=1", "--field=0", "--data.batch_size=8", "--trainer.limit_val_batches=2"]
    assert main(["compare", "digits_mscan_t", "--blocks", "none,stn", "--slot", "input", *few]) == 0, (
        capsys.readouterr().err
    )
    with (folder / "comparisons/digits_mscan_t-input/comparison.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["block"] for row in rows] == ["none", "stn"]
    assert all(0 <= float(row["accuracy"]) <= 1 for row in rows)


def test_a_dry_run_lists_the_trainings_and_writes_nothing(
    cityscapes_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    before = set(tmp_path.rglob("*"))
    words = ["synthetic_segnext_t", "--blocks", "none,se", "--data.root", str(cityscapes_root), *SMALL]
    assert main(["compare", *words, "--dry_run"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == ["none, seed 0: 2 steps", "se, seed 0: 2 steps"]
    assert lines[-1].startswith("4 trainings of 2 steps would run, 0 are done; results go to comparisons/")
    assert set(tmp_path.rglob("*")) == before
