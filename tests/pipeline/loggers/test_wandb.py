"""Weights & Biases: offline by itself, one run that goes on, and no failure that reaches the training."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import wandb

from foveate.pipeline.errors import ConfigError, MachineError
from foveate.pipeline.loggers.wandb import ID_FILE, WandbLogger


@pytest.fixture(autouse=True)
def no_account(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    for name in (
        "WANDB_MODE",
        "WANDB_API_KEY",
        "WANDB_PROJECT",
        "WANDB_ENTITY",
        "WANDB_NAME",
        "WANDB_DIR",
        "WANDB_RUN_ID",
    ):
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


def test_strict_ends_with_an_error_instead_of_logging_offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    strict = WandbLogger(strict=True)
    with pytest.raises(ConfigError, match="no W&B API key found"):
        strict.settle_in(tmp_path)
    monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
    strict.settle_in(tmp_path)

    def init(**arguments: Any) -> Any:
        raise wandb.errors.CommError("nobody there")

    monkeypatch.setattr(wandb, "init", init)
    with pytest.raises(MachineError, match=r"W&B cannot be used \(CommError: nobody there\)"):
        _ = strict.experiment
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.delenv("WANDB_API_KEY")
    WandbLogger(strict=True).settle_in(tmp_path)  # offline was asked for


def test_an_end_that_hangs_is_left_after_its_time(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    class Slow:
        id = "x"
        dir = str(tmp_path / "run-x" / "files")

        def finish(self, exit_code: int) -> None:
            released.wait(60)

    released = threading.Event()
    logger = WandbLogger(finish_timeout=0.2)
    logger._experiment = Slow()  # type: ignore[assignment]
    logger.finalize("failed")
    released.set()
    assert f"W&B did not end in 0 s; send the rest with: wandb sync {tmp_path / 'run-x'}" in capsys.readouterr().err


def test_local_files_go_where_they_should(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def folder_of(logger: WandbLogger) -> str | None:
        logger.settle_in(tmp_path / "run")
        return logger.save_dir

    assert folder_of(WandbLogger()) == str(tmp_path / "run")
    monkeypatch.setenv("WANDB_DIR", "/elsewhere")
    assert folder_of(WandbLogger()) == "/elsewhere"
    assert folder_of(WandbLogger(save_dir="/given")) == "/given"


@pytest.mark.parametrize(("kept", "known", "wanted"), [("a", "b", "a"), (None, "b", "b"), (None, None, None)])
def test_the_run_directory_s_id_comes_before_that_of_a_checkpoint(
    kept: str | None, known: str | None, wanted: str | None, tmp_path: Path
) -> None:
    if kept:
        (tmp_path / ID_FILE).write_text(kept)
    logger = WandbLogger()
    logger.settle_in(tmp_path, known)
    assert logger.version == wanted
