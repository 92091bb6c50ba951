"""Weights & Biases: offline by itself, one run that goes on, and no failure that reaches the training."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import wandb

from foveate.pipeline.loggers.wandb import WandbLogger


@pytest.fixture(autouse=True)
def no_account(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    for name in ("WANDB_MODE", "WANDB_API_KEY", "WANDB_PROJECT", "WANDB_ENTITY", "WANDB_NAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / "no-netrc"))
    monkeypatch.setenv("WANDB_ERROR_REPORTING", "false")
    yield
    wandb.finish()


def begin(run: Path) -> WandbLogger:
    logger = WandbLogger(project="p")
    logger.settle_in(run)
    return logger


def test_without_a_key_it_logs_offline_and_says_how_to_sync(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    logger = begin(tmp_path)
    logger.log_metrics({"val/miou": 0.5}, 3)
    logger.finalize("success")
    assert len(list((tmp_path / "wandb").glob("offline-run-*/*.wandb"))) == 1
    printed = capsys.readouterr().err
    assert "no W&B API key found" in printed
    assert f"wandb sync {tmp_path}/wandb/offline-run-" in printed


def test_a_run_that_goes_on_keeps_its_id(tmp_path: Path) -> None:
    ids = []
    for _ in range(2):
        logger = begin(tmp_path)
        ids.append(logger.experiment.id)
        logger.finalize("success")
    assert ids[0] == ids[1]


def test_a_server_out_of_reach_means_offline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    real, modes = wandb.init, []

    def init(**arguments: Any) -> Any:
        modes.append(arguments["mode"])
        if arguments["mode"] == "online":
            raise wandb.errors.CommError("nobody there")
        return real(**arguments)

    monkeypatch.setattr(wandb, "init", init)
    monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
    begin(tmp_path).log_metrics({"a": 1.0}, 1)
    assert modes == ["online", "offline"]
    assert "cannot be reached (CommError): logging offline" in capsys.readouterr().err


def test_a_backend_that_dies_is_told_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    class Dead:
        id = "x"

        def log(self, *_: Any, **__: Any) -> None:
            raise ConnectionResetError("gone")

        def finish(self) -> None:
            raise ConnectionResetError("gone")

    logger = begin(tmp_path)
    logger._experiment = Dead()  # type: ignore[assignment]
    for step in range(3):
        logger.log_metrics({"a": 1.0}, step)
    logger.finalize("failed")
    assert capsys.readouterr().err.count("W&B failed (ConnectionResetError: gone)") == 1


def test_the_run_is_named_after_its_directory_and_the_environment_is_heard(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert WandbLogger()._wandb_init["project"] == "foveate"
    monkeypatch.setenv("WANDB_PROJECT", "streets")
    monkeypatch.setenv("WANDB_ENTITY", "our-team")
    logger = WandbLogger()
    logger.settle_in(tmp_path / "camvid_segnext_t" / "0003")
    told = logger._wandb_init
    assert (told["project"], told["entity"], told["name"]) == ("streets", "our-team", "camvid_segnext_t/0003")
    given = WandbLogger(name="mine", project="p", entity="e")
    given.settle_in(tmp_path)
    assert [given._wandb_init[key] for key in ("name", "project", "entity")] == ["mine", "p", "e"]
