"""Plain lines where nobody watches a terminal."""

from __future__ import annotations

from types import SimpleNamespace
from unittest.mock import MagicMock

import lightning.pytorch as L
import pytest
import torch

from foveate.pipeline.callbacks.progress import PlainProgress, _clock, create_progress


@pytest.fixture
def trainer() -> MagicMock:
    fake = MagicMock(spec=L.Trainer, state=None)  # passes for a trainer
    fake.configure_mock(
        global_step=30,
        estimated_stepping_batches=120.0,
        progress_bar_metrics={"train/loss": torch.tensor(0.8125), "val/miou": 0.4},
        training=True,
        optimizers=[SimpleNamespace(param_groups=[{"lr": 6e-5}])],
        sanity_checking=False,
        num_val_batches=[10],
        max_steps=120,
        lightning_module=SimpleNamespace(monitor="val/miou"),
        state=SimpleNamespace(fn="fit"),
    )
    return fake


MODULE = L.LightningModule()


def test_a_line_holds_step_loss_miou_rate_and_time_left(
    trainer: MagicMock, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    progress = PlainProgress(every=0)
    progress.on_train_start(trainer, MODULE)
    progress._first_step = 0
    progress.on_train_batch_end(trainer)
    line = capsys.readouterr().err
    assert line.startswith("step 30/120 | train/loss 0.812 | val/miou 40.0 % | lr 6.0e-05 | ")
    assert line.strip().endswith("left")


def test_the_first_step_tells_nothing_of_the_time_that_is_left(
    trainer: MagicMock, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = [0.0]
    monkeypatch.setattr("foveate.pipeline.callbacks.progress.time.monotonic", lambda: clock[0])
    progress = PlainProgress(every=0)
    progress.on_train_start(trainer, MODULE)
    for step, seconds in ((31, 90.0), (32, 92.0), (41, 110.0)):  # a minute and a half, then two seconds each
        clock[0], trainer.global_step = seconds, step
        progress.on_train_batch_end(trainer)
    first, second, last = capsys.readouterr().err.splitlines()
    assert "left" not in first
    assert "steps/s" not in first
    assert second.endswith("0.50 steps/s | 2:56 left")
    assert last.endswith("0.50 steps/s | 2:38 left")


@pytest.mark.parametrize("columns", ["60", "80", "120"])
def test_a_line_fits_its_terminal(
    columns: str, trainer: MagicMock, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    progress = PlainProgress(every=0)
    progress.on_train_start(trainer, MODULE)
    progress.on_train_batch_end(trainer)
    assert len(capsys.readouterr().err.strip()) <= int(columns)


def test_lines_are_not_more_frequent_than_asked(trainer: MagicMock, capsys: pytest.CaptureFixture[str]) -> None:
    progress = PlainProgress(every=60)
    progress.on_train_start(trainer, MODULE)
    for _ in range(5):
        progress.on_train_batch_end(trainer)
    assert capsys.readouterr().err == ""


def test_a_process_that_was_told_to_be_silent_is(trainer: MagicMock, capsys: pytest.CaptureFixture[str]) -> None:
    progress = PlainProgress(every=0)
    progress.disable()
    progress.on_train_start(trainer, MODULE)
    progress.on_train_batch_end(trainer)
    progress.on_validation_end(trainer, MODULE)
    assert capsys.readouterr().err == ""


def test_without_a_terminal_there_are_lines() -> None:
    assert isinstance(create_progress(), PlainProgress)


@pytest.mark.parametrize(
    ("seconds", "text"), [(5, "0:05"), (65, "1:05"), (3725, "1:02:05"), (float("inf"), "99:59:59")]
)
def test_time_reads_as_a_clock(seconds: float, text: str) -> None:
    assert _clock(seconds) == text


def test_a_long_validation_says_how_far_it_is(trainer: MagicMock, capsys: pytest.CaptureFixture[str]) -> None:
    progress = PlainProgress(every=0)
    progress.on_validation_batch_end(trainer, MODULE, None, {}, 3)
    assert capsys.readouterr().err == "validation 4/10\n"
