"""Freezing, schedules, class weights and ranges, as they are asked for on the command line."""

from __future__ import annotations

import multiprocessing
from pathlib import Path

import pytest

from foveate.cli import main
from foveate.pipeline.runs.recipes import read_recipe

SMALL = [
    "--data.batch_size=2",
    "--data.num_workers=0",
    "--data.crop=[32,32]",
    "--trainer.max_steps=2",
    "--trainer.val_check_interval=1",
    "--trainer.log_every_n_steps=1",
    "--trainer.accelerator=cpu",
    "--trainer.enable_progress_bar=false",
]
TRIAL = "--trainer.fast_dev_run=true"
CLASSES = 19


@pytest.fixture(autouse=True)
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs are kept below the current folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FOVEATE_RUN_DIR", "")
    monkeypatch.setenv("PL_GLOBAL_SEED", "0")
    monkeypatch.setenv("PL_SEED_WORKERS", "0")


def fit(root: Path, *words: str) -> int:
    return main(["fit", "--config", "synthetic_segnext_t", "--data.root", str(root), *SMALL, *words])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--model.freeze", "encoder"], "3,903,584 of them frozen (encoder)"),
        (["--model.freeze", "[encoder.stages[:2], decoder.align]"], "frozen (encoder.stages[:2], decoder.align)"),
        (["--model.freeze", "encoder.block1,encoder.block2"], "frozen (encoder.block1, encoder.block2)"),
        (["--model.freeze", "{parts: encoder, until_step: 1}"], "frozen (encoder until step 1)"),
        (["--model.freeze.parts", "encoder", "--model.freeze.until_step", "1"], "frozen (encoder until step 1)"),
        (['--model.freeze=["encoder.stages[0]", {parts: decoder, until_step: 1}]'], "[0]; decoder until step 1)"),
    ],
)
def test_parts_are_frozen_from_the_command_line(
    words: list[str], said: str, cityscapes_root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fit(cityscapes_root, TRIAL, *words) == 0
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        ["--model.schedule", "{name: multi_step, milestones: [1, 2]}"],
        ["--model.schedule.name", "step", "--model.schedule.step_size", "1"],
        ["--model.schedule.name", "one_cycle"],
        ["--model.loss", f"{{name: cross_entropy, class_weights: {[1] * CLASSES}}}"],
        ["--model.loss", f"{{name: lovasz, per_image: true, class_weights: {[1, 2.5] + [1] * 17}}}"],
    ],
    ids=lambda words: words[-1][:30],
)
def test_schedules_and_class_weights_are_chosen_from_the_command_line(words: list[str], cityscapes_root: Path) -> None:
    assert fit(cityscapes_root, TRIAL, *words) == 0


@pytest.mark.slow
def test_plateau_and_freezing_go_on_with_the_run(cityscapes_root: Path) -> None:
    words = ["--model.schedule", "{name: plateau, patience: 0}", "--model.freeze", "{parts: encoder, until_step: 3}"]
    assert fit(cityscapes_root, *words) == 0
    assert read_recipe(Path("runs/latest/recipe.yaml"))["model"]["init_args"]["freeze"] == {
        "parts": "encoder",
        "until_step": 3,
    }
    assert main(["fit", "--ckpt_path", "last", "--trainer.max_steps", "4"]) == 0
    assert main(["validate", "--ckpt_path", "last"]) == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--model.freeze", "encodr"], "no part named 'encodr' to freeze; did you mean 'encoder'?"),
        (["--model.freeze", "encoder.stages[9]"], "there are 4, 0 to 3"),
        (["--model.freeze", "{part: encoder}"], "did you mean 'parts'?"),
        (["--model.optimizer.lr", "-1"], "optimizer.lr: -1.0 is not accepted; accepted: a finite number of at least 0"),
        (["--model.optimizer.weight_decay", "-0.1"], "optimizer.weight_decay: -0.1"),
        (["--model.optimizer.momentum", "1.5"], "of at least 0 and below 1"),
        (["--model.schedule.warmup_steps", "-1"], "schedule.warmup_steps: -1"),
        (["--model.schedule.name", "step"], "schedule step needs step_size"),
        (["--model.schedule.name", "stp"], "multi_step"),
        (["--model.ema", "1.5"], "ema is a decay between 0 and 1"),
        (["--model.loss", "{name: dice, class_weights: [1, 2, 3]}"], "holds 3 weights for 19 classes"),
        (["--model.loss", f"{{name: focal, class_weights: {[-1] * CLASSES}}}"], "at least 0, not -1"),
        (["--model.loss.class_weights", "[1, 2, 3]"], "holds 3 weights for 19 classes"),
        (["--data.batch_size", "many"], "--data.batch_size many: accepted: a whole number, auto (see"),
        (["--data.eval_batch_size", "many"], "--data.eval_batch_size many: accepted: a whole number (see"),
        (["--model.optimizer.lr", "fast"], "--model.optimizer.lr fast: accepted: a number (see"),
        (["--trainer.max_steps", "many"], "--trainer.max_steps many: accepted: a whole number (see"),
        (["--trainer.deterministic", "maybe"], "--trainer.deterministic maybe: accepted: true, false, warn (see"),
        (["--model.network", "timm:resnet18+unet"], "did you mean 'timm:resnet18+smp:Unet'?"),
    ],
    ids=lambda value: value if isinstance(value, str) else value[-1][:24],
)
def test_a_mistake_is_one_line(
    words: list[str], message: str, cityscapes_root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fit(cityscapes_root, *words) == 2
    error = capsys.readouterr().err.strip()
    assert message in error
    assert len(error.splitlines()) == 1
    assert not Path("runs").exists()


@pytest.mark.slow
def test_no_reading_process_outlives_a_command(cityscapes_root: Path) -> None:
    before = set(multiprocessing.active_children())
    assert fit(cityscapes_root, "--data.num_workers=2", "--report=false") == 0
    assert set(multiprocessing.active_children()) <= before
