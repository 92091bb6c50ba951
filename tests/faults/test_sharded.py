"""FSDP2: two processes that hold one network together learn what DDP's learn, stop, go on, and save whole files."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from foveate.tests.faults.conftest import Range, fault, finish, last_line, new_range, run_here, start
from foveate.tests.faults.test_processes import goes_on
from foveate.tests.faults.test_signals import alive

pytestmark = pytest.mark.slow
TWO = ["--trainer.devices=2"]
SHARDED = [*TWO, "--trainer.strategy=fsdp2"]
LIMIT = 90


def train(range_: Range, *words: str, record: str, steps: int = 8) -> Path:
    """The run directory of a training."""
    into = f"--trainer.default_root_dir={record}-runs"
    code, output = finish(start(range_.folder, range_.words(*words, into, record=record, steps=steps)), LIMIT)
    assert code == 0, output
    return range_.folder / f"{record}-runs" / "folder_segnext_t" / "0001"


def numbers(range_: Range, record: str) -> list[float]:
    lines = (line.split() for line in range_.recorded(record) if not line.startswith("weights"))
    return [float.fromhex(line[-1]) for line in lines]


def content(run: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)
    return loaded


class Trained:
    """Trainings of two processes that several tests look at, each done when it is first asked for.

    Args:
        range_: Where.
    """

    def __init__(self, range_: Range) -> None:
        self.range_ = range_
        self._runs: dict[str, Path] = {}

    def run(self, strategy: str) -> Path:
        """The run directory of 12 steps; its losses are recorded in STRATEGY.txt."""
        if strategy not in self._runs:
            shares = f"--trainer.callbacks+=[{{class_path: tiny.Shares, init_args: {{path: shares-{strategy}.txt}}}}]"
            words = [*TWO, f"--trainer.strategy={strategy}", shares]
            self._runs[strategy] = train(self.range_, *words, record=f"{strategy}.txt", steps=12)
        return self._runs[strategy]

    def stopped(self, strategy: str, to: Path) -> Range:
        """A copy of a training that SIGTERM ended in step 6."""
        name = f"{strategy}-stopped"
        if name not in self._runs:
            here = replace(self.range_, folder=self.range_.folder / name)
            here.folder.mkdir()
            words = here.words(*TWO, f"--trainer.strategy={strategy}", fault("SIGTERM", step=6), steps=12)
            process = start(here.folder, words)
            code, output = finish(process, LIMIT)
            assert code == 143, output
            assert not alive(process)
            self._runs[name] = here.folder
        shutil.copytree(self._runs[name], to, symlinks=True)
        return replace(self.range_, folder=to)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    folder = tmp_path_factory.mktemp("sharded")
    return Trained(new_range(folder))


def compare_losses(range_: Range, usual: Path, sharded: Path, records: tuple[str, str]) -> None:
    theirs, ours = (numbers(range_, record) for record in records)
    assert len(ours) >= 8
    assert ours == pytest.approx(theirs, rel=2e-3)
    one, other = content(usual), content(sharded)
    assert {name: value.shape for name, value in one["state_dict"].items()} == {
        name: value.shape for name, value in other["state_dict"].items()
    }
    states = one["optimizer_states"][0], other["optimizer_states"][0]
    assert states[0]["param_groups"] == states[1]["param_groups"]
    assert states[0]["state"].keys() == states[1]["state"].keys()


def test_losses_are_those_of_ddp(trained: Trained) -> None:
    compare_losses(trained.range_, trained.run("ddp"), trained.run("fsdp2"), ("ddp.txt", "fsdp2.txt"))


@pytest.mark.parametrize(
    "words",
    [
        ["--model.network=segnext_t", "--data.crop=32x32"],
        ["--model.optimizer.name=sgd", "--trainer.accumulate_grad_batches=2", "--trainer.gradient_clip_val=0.1"],
        ["--model.freeze=encoder", "--trainer.precision=bf16-mixed"],
    ],
    ids=["segnext", "sgd, clipping", "frozen"],
)
def test_losses_are_those_of_ddp_with_other_settings(words: list[str], range_: Range) -> None:
    usual, sharded = train(range_, *TWO, *words, record="ddp.txt"), train(range_, *SHARDED, *words, record="fsdp2.txt")
    compare_losses(range_, usual, sharded, ("ddp.txt", "fsdp2.txt"))


def test_each_process_holds_half_of_the_weights_and_of_the_optimiser(trained: Trained) -> None:
    trained.run("fsdp2")
    weights, state, total = map(int, (trained.range_.folder / "shares-fsdp2.txt").read_text().split())
    assert weights < 0.6 * total
    assert state < 0.6 * 2 * total + 100


def test_a_stopped_training_goes_on_bit_for_bit(trained: Trained, tmp_path: Path) -> None:
    trained.run("fsdp2")
    range_ = trained.stopped("fsdp2", tmp_path / "here")
    code, output = finish(start(range_.folder, range_.resume()), LIMIT)
    assert code == 0, output
    assert range_.recorded() == trained.range_.recorded("fsdp2.txt")


@pytest.mark.parametrize(("before", "after"), [("ddp", "fsdp2"), ("fsdp2", "ddp")])
def test_the_other_strategy_goes_on_with_a_checkpoint(
    before: str, after: str, trained: Trained, tmp_path: Path
) -> None:
    trained.run(before)
    range_ = trained.stopped(before, tmp_path / "here")
    code, output = finish(start(range_.folder, range_.resume(f"--trainer.strategy={after}")), LIMIT)
    assert code == 0, output
    assert numbers(range_, "record.txt") == pytest.approx(numbers(trained.range_, f"{before}.txt"), rel=2e-3)


@pytest.mark.parametrize("devices", ["1", "2"])
def test_a_checkpoint_is_scored_in_one_process_and_in_two(devices: str, trained: Trained) -> None:
    run = trained.run("fsdp2")
    inside = counts(run)
    words = ["validate", f"--ckpt_path={run / 'checkpoints' / 'last.ckpt'}", f"--trainer.devices={devices}"]
    folder = trained.range_.folder
    code, output = run_here(folder, words) if devices == "1" else finish(start(folder, words))
    assert code == 0, output
    assert counts(run) == inside


def counts(run: Path) -> str:
    return (run / "val-last.json").read_text().split('"confusion"')[1].split("]]")[0]


@pytest.mark.parametrize("kind", ["nan_loss", "nan_gradient"])
def test_what_is_not_finite_in_one_process_ends_both_and_the_last_checkpoint_stays(kind: str, range_: Range) -> None:
    moment = "backward" if kind == "nan_gradient" else "fetched"
    words = range_.words(*SHARDED, fault(kind, step=6, rank=1, moment=moment))
    process = start(range_.folder, words)
    code, output = finish(process, LIMIT)
    assert code == 6, output
    assert "step 6" in last_line(output)
    assert not alive(process)
    bundle = torch.load(range_.run / "bundles" / "step-6-process-0.pt", weights_only=False)
    state = bundle["state"] if isinstance(bundle, dict) else bundle.state
    assert all(type(value) is torch.Tensor for value in state.values())
    goes_on(range_, last_line(output), *TWO)


def test_the_error_of_one_process_is_the_last_line_and_a_checkpoint_of_before_goes_on(range_: Range) -> None:
    process = start(range_.folder, range_.words(*SHARDED, fault("raise", step=6, rank=1), steps=100))
    code, output = finish(process, 60)
    line = last_line(output)
    assert code == 138, output
    assert "planted in process 1 at step 6" in line
    assert re.search(r"last\.ckpt \(step 4\)", line), line
    assert not alive(process)
    goes_on(range_, line, *TWO)


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("--model.ema=0.9", "keeps no moving average"),
        ("--model.freeze={parts: encoder, until_step: 2}", "cannot unfreeze"),
        ("--trainer.precision=16-true", "takes --trainer.precision"),
        ("--trainer.strategy=lightning.pytorch.strategies.ModelParallelStrategy", "give fsdp2 instead"),
    ],
)
def test_what_does_not_go_with_it_is_refused(word: str, said: str, range_: Range) -> None:
    """Before a second process is started: this one would start the tests again."""
    code, output = run_here(range_.folder, range_.words(*SHARDED, word))
    assert code == 2, output
    assert said in last_line(output)


def test_one_process_trains_without_it(range_: Range) -> None:
    code, output = run_here(range_.folder, range_.words("--trainer.strategy=fsdp2", steps=2))
    assert code == 0, output
    assert "one process holds the whole network" in output
