"""A loss, a gradient or a weight that is not finite: the training ends before the step, or leaves it out."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import torch
from PIL import Image

from foveate.cli import main
from foveate.tests.faults.conftest import TINY, Range, fault, finish, last_line, start
from foveate.tests.faults.tiny import fingerprint


@pytest.fixture(autouse=True)
def here(range_: Range, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(range_.folder)
    for name in ("FOVEATE_RUN_DIR", "PL_GLOBAL_SEED", "PL_SEED_WORKERS"):
        monkeypatch.delenv(name, raising=False)


def weights(path: Path) -> dict[str, torch.Tensor]:
    state: dict[str, torch.Tensor] = torch.load(path, weights_only=True)["state_dict"]
    return state


def finite(path: Path) -> bool:
    return all(bool(torch.isfinite(tensor).all()) for tensor in weights(path).values() if tensor.is_floating_point())


KINDS = {
    "nan_module": ("fetched", "the loss is nan at step 6", "first in the output of network.decoder.classify (Conv2d)"),
    "nan_loss": ("fetched", "the loss is nan at step 6", "first in the gradient of network.decoder.classify"),
    "nan_gradient": ("backward", "the gradient of network.decoder.classify.weight is not finite at step 6", ""),
}


@pytest.mark.parametrize("more", [[], ["--trainer.accumulate_grad_batches=2"], ["--trainer.gradient_clip_val=1.0"]])
@pytest.mark.parametrize("kind", KINDS)
def test_the_training_ends_before_the_step_and_names_it(
    kind: str, more: list[str], range_: Range, capsys: pytest.CaptureFixture[str]
) -> None:
    moment, said, place = KINDS[kind]
    assert main(range_.words(*more, fault(kind, step=6, moment=moment))) == 6
    line = last_line(capsys.readouterr().err)
    assert line.startswith(f"foveate: ERROR diverged: {said}")
    assert place in line
    assert re.search(r"batch \d+, .*images/train/\d\.png", line)
    folder = range_.run / "checkpoints"
    assert finite(folder / "last.ckpt")
    assert finite(folder / "best.ckpt")
    assert "checkpoints/last.ckpt (step 4); resume: foveate fit" in line


@pytest.mark.parametrize("kind", ["nan_loss", "nan_gradient"])
def test_a_bundle_is_the_step_that_was_stopped_and_can_be_replayed(
    kind: str, range_: Range, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(range_.words(fault(kind, step=6, moment=KINDS[kind][0]))) == 6
    bundle = range_.run / "bundles" / "step-6.pt"
    assert f"foveate replay {bundle}" in last_line(capsys.readouterr().err)
    before = torch.load(bundle, weights_only=True)["state"]
    assert main(["replay", str(bundle), f"--plugins={TINY}"]) == 0  # the fault was the callback's, and is not here
    assert "all gradients are finite" in capsys.readouterr().out
    assert main(["replay", str(bundle), f"--plugins={TINY}", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["step"] == 6
    range_.run.rename(range_.folder / "first")
    assert main(range_.words("--checkpoints.every_steps=1", fault("SIGTERM", step=5), record=None)) == 143
    assert fingerprint(weights(range_.run / "checkpoints" / "last.ckpt")) == fingerprint(before)


def test_a_replay_fails_where_the_training_did(range_: Range, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(range_.words(fault("nan_weight", step=6))) == 6
    assert main(["replay", str(range_.run / "bundles" / "step-6.pt"), f"--plugins={TINY}"]) == 6
    assert "first not finite: the output of decoder.classify (Conv2d)" in last_line(capsys.readouterr().err)


@pytest.mark.parametrize("more", [[], ["--trainer.accumulate_grad_batches=2"], ["--model.ema=0.9"]])
@pytest.mark.parametrize("kind", ["nan_loss", "nan_gradient"])
def test_a_few_such_steps_may_be_left_out(
    kind: str, more: list[str], range_: Range, capsys: pytest.CaptureFixture[str]
) -> None:
    planted = fault(kind, step=3, moment=KINDS[kind][0], times=4 if "accumulate" in str(more) else 2)
    assert main(range_.words(*more, "--skip_nonfinite=2", planted)) == 0
    assert "2 steps were left out" in capsys.readouterr().err
    assert finite(range_.run / "checkpoints" / "last.ckpt")
    range_.run.rename(range_.folder / "first")
    assert main(range_.words(*more, "--skip_nonfinite=1", planted)) == 6


def test_a_step_that_is_left_out_changes_nothing(range_: Range) -> None:
    words = ["--checkpoints.every_steps=1", "--skip_nonfinite=1"]
    assert main(range_.words(*words, fault("nan_loss", step=3), record=None, steps=4)) == 0
    after = weights(range_.run / "checkpoints" / "last.ckpt")
    range_.run.rename(range_.folder / "first")
    assert main(range_.words(record=None, steps=3)) == 0
    assert fingerprint(weights(range_.run / "checkpoints" / "last.ckpt")) == fingerprint(after)


@pytest.mark.parametrize(("moment", "step"), [("end", 8), ("backward", 7)])
def test_weights_that_are_not_finite_are_never_saved(
    moment: str, step: int, range_: Range, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(range_.words(fault("nan_weight", step=step, moment=moment), steps=8)) == 6  # in the last step
    line = last_line(capsys.readouterr().err)
    assert line.startswith("foveate: ERROR diverged: ")
    assert finite(range_.run / "checkpoints" / "last.ckpt")
    assert finite(range_.run / "checkpoints" / "best.ckpt")


@pytest.mark.slow
@pytest.mark.parametrize("rank", [0, 1])
@pytest.mark.parametrize("skip", [0, 1])
def test_two_processes_stop_or_leave_out_the_same_step(skip: int, rank: int, range_: Range) -> None:
    words = range_.words("--trainer.devices=2", f"--skip_nonfinite={skip}", fault("nan_loss", step=3, rank=rank))
    code, output = finish(start(range_.folder, words), 90)
    if skip:
        assert code == 0, output
        assert output.count("step left out (1 of at most 1)") == 1
    else:
        assert code == 6, output
        assert f"process {rank}: the loss is nan at step 3" in last_line(output)
    assert finite(range_.run / "checkpoints" / "last.ckpt") if skip else True


def void(range_: Range, *splits: str) -> None:
    """Make every pixel of some splits void."""
    for split in splits:
        for path in (range_.root / "masks" / split).iterdir():
            Image.new("L", (24, 20), 255).save(path)


def test_training_data_without_any_label_end_the_training(range_: Range, capsys: pytest.CaptureFixture[str]) -> None:
    void(range_, "train")
    assert main(range_.words(record=None)) == 3
    assert "no labelled pixel" in last_line(capsys.readouterr().err)


def test_an_evaluation_without_any_label_ends_with_3(range_: Range, capsys: pytest.CaptureFixture[str]) -> None:
    void(range_, "val")
    assert main(range_.words(record=None)) == 3
    assert "no labelled pixel in the val data" in last_line(capsys.readouterr().err)


def test_batches_without_a_label_are_counted_and_change_no_weight(
    range_: Range, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in sorted((range_.root / "masks" / "train").iterdir())[:7]:
        Image.new("L", (24, 20), 255).save(path)
    assert main(range_.words(record=None)) == 0
    assert re.search(r"warning: \d+ of 12 training batches had no label", capsys.readouterr().err)
    assert finite(range_.run / "checkpoints" / "last.ckpt")
