"""What Lightning refuses is one line, and its callbacks work beside ours."""

from __future__ import annotations

from pathlib import Path

import pytest

from foveate.cli import main

# A training of two steps on scikit-learn's digits, and one that writes nothing
RUN = [
    *("--config", "digits_vit_ti", "--trainer.accelerator", "cpu", "--trainer.max_steps", "2"),
    *("--trainer.val_check_interval", "2", "--trainer.limit_val_batches", "1"),
    *("--data.num_workers", "0", "--data.batch_size", "8"),
]
TRIAL = [*RUN, "--trainer.fast_dev_run", "1"]


@pytest.fixture(autouse=True)
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs are kept below the current folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FOVEATE_RUN_DIR", "")


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--trainer.devices", "0"], "devices='0'"),
        (["--trainer.accelerator", "tpu"], "trainer:"),
        (["--trainer.strategy", "dpp"], "no strategy 'dpp'; did you mean 'ddp'"),
        (["--trainer.profiler", "nope"], "'simple'"),
        (["--trainer.logger", "MLFlowLogger"], "pip install"),
        (["--trainer.logger", "wand"], "did you mean 'wandb'"),
        (["--trainer.callbacks+", "EarlyStopping", "--trainer.callbacks.monitor", "val/lss"], "'val/loss'"),
        (["--trainer.callbacks+", "ModelCheckpoint", "--trainer.callbacks.monitor", "val/miou"], "known: train/loss"),
        (["--trainer.callbacks+", "{class_path: StochasticWeightAveraging, init_args: {swa_lrs: 0.1}}"], "swa_epoch"),
        (["--trainer.callbacks+", "EarlyStopping"], "required: monitor"),
        (["--trainer.callbacks+", "Nope"], "no class is called 'Nope'"),
        (["--trainer.gradient_clip_val", "x"], "--trainer.gradient_clip_val x"),
        (["--trainer.max_st", "3"], "did you mean '--trainer.max_steps'"),
        (["--lr", "1"], "did you mean '--model.optimizer.lr'"),
        (["--optimizer.lr", "1"], "did you mean '--model.optimizer.lr'"),
        (["--data", "Cityscapes"], "did you mean 'cityscapes'"),
        (["--plug", "x"], "did you mean '--plugins'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_built_is_one_line(flags: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fit", *(RUN if "swa" in message else TRIAL), *flags]) == 2
    lines = [line for line in capsys.readouterr().err.splitlines() if not line.startswith("digits_vit_ti: ")]
    error = lines[0]
    assert message in error
    assert len(lines) == 1
    assert error.startswith("foveate: ERROR config")


def test_an_own_checkpoint_like_ours_works_beside_it() -> None:
    own = "{class_path: ModelCheckpoint, init_args: {monitor: val/acc, mode: max, dirpath: mine, filename: own}}"
    assert main(["fit", *RUN, "--trainer.callbacks+", own]) == 0
    assert Path("mine/own.ckpt").is_file()
    assert Path("runs/latest/checkpoints/best.ckpt").is_file()


@pytest.mark.parametrize("bar", ["RichProgressBar", "TQDMProgressBar"])
def test_a_progress_bar_of_the_recipe_takes_the_place_of_ours(bar: str) -> None:
    assert main(["fit", *TRIAL, "--trainer.callbacks+", bar]) == 0


def test_validation_by_epochs_takes_the_place_of_the_recipes_steps() -> None:
    words = [word for word in RUN if word not in ("--trainer.val_check_interval", "2", "--trainer.max_steps")]
    more = ["--trainer.check_val_every_n_epoch", "1", "--trainer.max_steps", "2", "--trainer.limit_train_batches", "2"]
    assert main(["fit", *words, *more]) == 0
    assert Path("runs/latest/checkpoints/best.ckpt").is_file()


@pytest.mark.filterwarnings("ignore:SWA is currently only supported every epoch:UserWarning")
def test_stochastic_weight_averaging_works_and_stays_in_the_recipe() -> None:
    averaging = "{class_path: StochasticWeightAveraging, init_args: {swa_lrs: 0.01, swa_epoch_start: 1}}"
    assert main(["fit", *RUN, "--trainer.callbacks+", averaging]) == 0
    assert "device: cpu" in Path("runs/latest/recipe.yaml").read_text()
