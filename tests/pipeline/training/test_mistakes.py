"""A mistyped word of a training command, at every level: one line, the nearest names, where to look."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from foveate.cli import main

FIT = ["fit", "--config", "digits_vit_ti", "--trainer.accelerator", "cpu", "--trainer.fast_dev_run", "1"]
SEE = "(see: foveate fit --help-all)"


@pytest.fixture(autouse=True)
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs are kept below the current folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FOVEATE_RUN_DIR", "")


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ("--model.optimiser.lr 1", f"no option '--model.optimiser.lr'; did you mean '--model.optimizer.lr'? {SEE}"),
        ("--model.optimizer.lrr 1", "no option '--model.optimizer.lrr'; did you mean '--model.optimizer.lr'"),
        ("--data.rooot x", "no option '--data.rooot'"),
        ("--data.batch_sz 4", "no option '--data.batch_sz'; did you mean '--data.batch_size'"),
        ("--trainer.max_stps 1", f"no option '--trainer.max_stps'; did you mean '--trainer.max_steps'? {SEE}"),
        (
            "--trainer.logger wandb --trainer.logger.projct x",
            "'--trainer.logger.projct'; did you mean '--trainer.logger.proj",
        ),
        (
            "--model ClassificationTsk",
            f"--model: no class is called 'ClassificationTsk'; did you mean 'ClassificationTask'? {SEE}",
        ),
        ("--trainer.callbacks EarlyStoping", "no class is called 'EarlyStoping'; did you mean 'EarlyStopping'"),
        ("--trainer.precision bf16-mixd", "did you mean 'bf16-mixed'"),
        (
            "--model.optimizer.no_decay norms",
            "--model.optimizer.no_decay norms: accepted: norm, norm_and_bias; did you mean 'norm'",
        ),
        ("--trainer.accelerator gpuu", "no accelerator 'gpuu'; did you mean 'gpu'? (accepted: auto, cpu"),
        ("--model.network vit_tiny", "did you mean 'vit_ti'"),
        ("--model.optimizer.name adamx", "no optimizer 'adamx'; did you mean 'adamw', 'torch:Adamax' or"),
        ("--data CamVidDataModul", "--data CamVidDataModul: no such data set; did you mean 'CamVidDataModule'?"),
        ("--model.loss cros_entropy", "did you mean 'cross_entropy'"),
        ("--config more.yaml", "no option '--model.optimizer.lrr'; did you mean '--model.optimizer.lr'"),
    ],
)
def test_the_nearest_is_suggested_with_its_whole_name(
    flags: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("more.yaml").write_text("model: {init_args: {optimizer: {lrr: 1}}}")
    assert main([*FIT, *flags.split()]) == 2
    error = capsys.readouterr().err.strip()
    assert message in error
    assert len(error.splitlines()) == 1


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        ("fit --config digits_vit_ty", 2, "did you mean 'digits_vit_ti'? (see: foveate recipes list)"),
        ("fit --config mine.yml", 2, "did you mean 'mine.yaml'?"),
        ("fit --confg mine.yaml", 2, "no option '--confg'; did you mean '--config'? (see: foveate fit --help)"),
        ("validate --ckpt=best", 2, "no option '--ckpt'; did you mean '--ckpt_path'? (see: foveate validate --help)"),
        ("fit --data.root data", 2, "which recipe? give --config RECIPE (shipped ones: foveate recipes list)"),
        ("validate --ckpt_path bst", 4, "did you mean 'best'?"),
        (
            "fit --config camvid_segnext_t --data.root datta",
            3,
            "datta: no such folder (--data.root); did you mean 'data'?",
        ),
        ("fit --config digits_vit_ti --model.weights mine.yml", 4, "did you mean 'mine.yaml'?"),
        ("report datta/runs", 4, "did you mean 'data/runs'?"),
        ("data check datta", 3, "did you mean 'data'?"),
        ("tune digits_vit_ti mine.yml", 2, "did you mean 'mine.yaml'?"),
        ("export best --modle.network x", 2, "did you mean '--model.network'? (see: foveate export --help)"),
        ("tune digits_vit_ti mine.yaml --dta.root x", 2, "did you mean '--data.root'? (see: foveate tune --help)"),
        ("bench digits_vit_ti --modle.network x", 2, "no option '--modle.network' (see: foveate bench --help)"),
    ],
)
def test_recipes_and_files_are_suggested(
    words: str, code: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("mine.yaml").write_text("x: 1")
    Path("data/runs").mkdir(parents=True)
    assert main(words.split()) == code
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("command", ["validate", "test", "predict"])
def test_the_help_that_is_named_is_that_of_the_command(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("w.pth").write_text("")
    Path("photos").mkdir()
    words = [
        command,
        "--config",
        "digits_vit_ti",
        "--model.weights",
        "w.pth",
        "--data.images",
        "photos",
        "--data.rot",
        "x",
    ]
    if command != "predict":
        words = [word for word in words if word not in ("--data.images", "photos")]
    assert main(words) == 2
    assert f"(see: foveate {command} --help-all)" in capsys.readouterr().err


@pytest.mark.slow
def test_scores_are_the_only_thing_on_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    small = "--trainer.accelerator cpu --trainer.max_steps 2 --trainer.val_check_interval 2 --data.num_workers 0"
    assert main(["fit", "--config", "digits_vit_ti", *small.split()]) == 0
    capsys.readouterr()
    assert main(["validate", "--ckpt_path", "last", "--json"]) == 0
    printed = capsys.readouterr()
    found = json.loads(printed.out)
    assert found.pop("schema") == 1
    assert found == json.loads(Path("runs/latest/val-last.json").read_text())
    assert "scores written to" in printed.err
