"""Trainings of a tiny protocol through the command: replayed, tampered with, repeated, and with somebody's block."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from foveate.cli import main
from foveate.pipeline.comparison.entries import Entry
from foveate.pipeline.comparison.measures import try_out
from foveate.pipeline.comparison.study import Study
from foveate.pipeline.leaderboard.costs import fixed_costs
from foveate.pipeline.leaderboard.figures import figures_of
from foveate.pipeline.leaderboard.record import pack, seal, unpack
from foveate.pipeline.runs.recipes import accept
from foveate.plugins import manager
from foveate.tests.conftest import draw, save
from foveate.tests.pipeline.leaderboard.made import CONTENT, write_data, write_protocol

pytestmark = pytest.mark.slow
BLOCK = """
import torch
from torch import nn
from foveate.plugins import Block, hookimpl


class Scaled(nn.Module):
    def __init__(self, channels, *, by=1.5):
        super().__init__()
        self.drop = nn.Dropout(0.1)  # draws random numbers
        self.by, self.mix = by, nn.Conv2d(channels, channels, 1, groups=channels)

    def forward(self, x):
        return x + self.by * self.drop(self.mix(x))


class Widening(nn.Module):  # reaches farther after every step, as a block may that learns where it samples

    def __init__(self, channels):
        super().__init__()
        self.mix = nn.Conv2d(channels, channels, 3, groups=channels)
        self.register_buffer("steps", torch.zeros((), dtype=torch.long))

    def forward(self, x):
        self.steps += self.training
        self.mix.dilation = self.mix.padding = (1 + int(self.steps),) * 2
        return x + self.mix(x)


@hookimpl
def foveate_blocks():
    yield Block(name="scaled", summary="Scaled", kind="channel", build=Scaled)
    yield Block(name="widening", summary="Widening", kind="spatial", build=Widening)
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with data, a protocol, a block, and the records of none and of that block with its first seed."""
    folder = tmp_path_factory.mktemp("leaderboard")
    write_data(folder / "data")
    write_protocol(folder)
    (folder / "made_up_scaled.py").write_text(BLOCK)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(manager, "_installed", None)
        assert main(["leaderboard", "run", "--blocks", "none", "--protocol", "tiny.yaml"]) == 0
        assert main(["leaderboard", "add", "scaled", *PLUGIN]) == 0
    return folder


PLUGIN = ["--plugins", "made_up_scaled.py", "--protocol", "tiny.yaml"]
MINE, NONE = "leaderboard/camvid-gate/scaled-0.json", "leaderboard/camvid-gate/none-0.json"


@pytest.fixture
def here(place: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(manager, "_installed", None)
    monkeypatch.chdir(place)
    return place


def check(file: str, *words: str) -> int:
    return main(["leaderboard", "check", file, "--data", "data", *PLUGIN, *words])


def test_a_third_party_s_block_gets_records_and_a_badge(here: Path) -> None:
    content = json.loads((here / MINE).read_text())
    assert content["block"]["spec"] == "scaled"
    assert content["costs"]["parameters"] > json.loads((here / NONE).read_text())["costs"]["parameters"]
    assert sorted(path.name for path in (here / "leaderboard/camvid-gate").iterdir()) == [
        *("none-0.json", "none-1.json", "scaled-0.json", "scaled-1.json"),
    ]
    assert "scaled" in (here / "leaderboard/scaled-camvid-gate.svg").read_text()


def test_a_record_comes_out_again_bit_for_bit(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check(MINE) == 0
    assert "losses of 2 steps: equal bit for bit" in capsys.readouterr().out
    assert check(MINE, "--steps", "all") == 0
    assert "equal bit for bit" in capsys.readouterr().out


def test_another_seed_comes_out_again_too(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check(MINE.replace("-0", "-1"), "--steps", "3") == 0
    assert capsys.readouterr().out.count("equal bit for bit") == 1


DIGITS = """
model:
  class_path: ClassificationTask
  init_args: {network: mobilenet_v2_050, optimizer: {name: adamw, lr: 0.001}}
data: {class_path: DigitsDataModule, init_args: {image_size: 32, batch_size: 4, num_workers: 0}}
trainer: {accelerator: cpu}
"""


def test_fixed_costs_do_not_depend_on_steps_taken_before(here: Path) -> None:
    """Steps are taken to measure times before a training, and in another number before a check."""
    modules = ["made_up_scaled.py"]
    manager.installed_plugins(modules)
    recipe = accept(yaml.safe_load(DIGITS), modules)
    study = Study(name="made", recipe=recipe, slots=("stage",), steps=1, out=Path("made"), modules=modules)
    candidate = try_out(study, Entry("widening", "widening", "stage"))
    before = fixed_costs(study, candidate)
    for _ in range(3):
        candidate.step()()
    assert fixed_costs(study, candidate) == before
    assert before["receptive_field"] is not None


def tampered(here: Path, change: Callable[[dict[str, Any]], None]) -> str:
    content = json.loads((here / MINE).read_text())
    change(content)
    (here / "tampered.json").write_text(json.dumps(seal(content)))
    return "tampered.json"


def another_loss(content: dict[str, Any]) -> None:
    content["training"]["losses"][1] *= 1.00001


def other_costs(content: dict[str, Any]) -> None:
    content["costs"]["parameters"] -= 1


def other_data(content: dict[str, Any]) -> None:
    content["data"]["sha256"] = "0" * 64


FORGED = {another_loss: ("loss of step 2", 4), other_costs: ("parameters is", 4), other_data: ("its data", 3)}


@pytest.mark.parametrize("change", FORGED, ids=lambda change: change.__name__)
def test_a_forged_record_is_refused(here: Path, capsys: pytest.CaptureFixture[str], change: Any) -> None:
    said, code = FORGED[change]
    assert check(tampered(here, change)) == code
    assert said in capsys.readouterr().err


def better(content: dict[str, Any], moved: int = 0) -> None:
    """Make every pixel right, in all counts alike; in the first image, some pixels get another label."""
    result = content["result"]
    names = list(result["classes"])
    count = len(names)
    counts = unpack(result["images"], 3 * count)
    labelled = counts[:, count : 2 * count].copy()
    labelled[0, [0, 3]] += [-moved, moved]
    counts = np.tile(labelled, 3)
    confusion = np.diag(labelled.sum(0)).astype(int).tolist()
    result |= {"confusion": confusion, "images": pack(counts), **figures_of(counts, "mIoU", names)}


def test_counts_that_were_made_up_consistently_are_found_by_the_whole_training_only(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tampered(here, better)
    assert check(file) == 0
    assert check(file, "--steps", "all") == 4
    assert "the score is 100.00 there" in capsys.readouterr().err


def test_counts_of_other_labels_are_refused(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check(tampered(here, partial(better, moved=5))) == 3
    assert "not those of val's labels" in capsys.readouterr().err


def test_another_block_under_the_same_name_is_refused(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "made_up_scaled.py").write_text(BLOCK.replace("by=1.5", "by=1.4"))
    try:
        sys.modules.pop("made_up_scaled", None)
        assert check(MINE) == 5
        assert "the block's code is another one" in capsys.readouterr().err
    finally:
        (here / "made_up_scaled.py").write_text(BLOCK)
        sys.modules.pop("made_up_scaled", None)


def test_changed_images_are_refused(here: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    shutil.copytree(here / "data", tmp_path / "data")
    for path in sorted((tmp_path / "data/camvid/train").iterdir()):
        size, number = path.stat().st_size, 500
        save(draw(48, 64, ids=(0, 3, 8, 11), seed=number)[0], path)
        with path.open("ab") as file:  # the same size, so that the files' sizes do not tell
            file.write(b"\0" * max(0, size - path.stat().st_size))
    words = ["leaderboard", "check", MINE, "--data", str(tmp_path / "data"), *PLUGIN]
    assert main(words) == 3
    assert capsys.readouterr().err.count("refused") == 1


def test_two_people_s_records_agree(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["leaderboard", "run", "--blocks", "none", "--protocol", "tiny.yaml", "--out", "theirs"]
    assert main(words) == 0
    theirs = "theirs/camvid-gate/none-0.json"
    capsys.readouterr()
    assert main(["leaderboard", "check", NONE, "--against", theirs, "--protocol", "tiny.yaml"]) == 0
    assert "agree: scores" in capsys.readouterr().out
    ours, others = (json.loads((here / name).read_text()) for name in (NONE, theirs))
    for part in ("result", "data", "code", "block", "environment"):
        assert ours[part] == others[part]
    assert ours["training"]["losses"] == others["training"]["losses"]


def test_another_block_s_record_does_not_agree(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["leaderboard", "check", NONE, "--against", MINE, "--protocol", "tiny.yaml"]) == 2
    assert "block is 'scaled'" in capsys.readouterr().err


def test_show_writes_a_page_and_a_document(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--page", "page.html", "--markdown", "page.md", "--published", "false", "--protocol", "tiny.yaml"]
    assert main(["leaderboard", "show", *words]) == 0
    assert "camvid-gate" in capsys.readouterr().out
    assert "scaled" in (here / "page.html").read_text()
    assert "| scaled |" in (here / "page.md").read_text()


def test_a_dry_run_lists_the_trainings_without_a_record(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["leaderboard", "run", "--blocks", "none,se", "--protocol", "tiny.yaml", "--dry_run"]
    assert main(words) == 0
    assert capsys.readouterr().out.splitlines() == [
        *("camvid-gate, se, seed 0: 3 steps", "camvid-gate, se, seed 1: 3 steps"),
    ]
    assert main([*words, "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["trainings"]) == 2


def test_a_run_that_is_complete_trains_nothing(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = (here / NONE).stat().st_mtime_ns
    assert main(["leaderboard", "run", "--blocks", "none", "--protocol", "tiny.yaml"]) == 0
    assert "2 trainings, 2 of them done before" in capsys.readouterr().err
    assert (here / NONE).stat().st_mtime_ns == before


def test_ctrl_c_loses_the_training_that_runs_and_no_other(here: Path, tmp_path: Path) -> None:
    long = {**CONTENT, "recipes": {"camvid": {**CONTENT["recipes"]["camvid"], "steps": 100_000}}, "seeds": 1}
    (tmp_path / "long.yaml").write_text(yaml.safe_dump(long))
    words = ["leaderboard", "run", "--blocks", "none,se", "--data", str(here / "data"), "--protocol", "long.yaml"]
    command = [sys.executable, "-m", "foveate.cli", *words]
    heard = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)  # ignored by tests that run in the background
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, cwd=tmp_path, text=True, preexec_fn=heard, **pipes) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        while "none, seed 0" not in (line := running.stderr.readline()):
            assert line
        running.send_signal(signal.SIGINT)
        said = running.stdout.read() + running.stderr.read()
        assert running.wait(timeout=120) == 130
    assert "stopped by Ctrl-C" in said
    assert "se, seed 0" not in said
    assert not (tmp_path / "leaderboard").exists()
