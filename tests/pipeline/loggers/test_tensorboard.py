"""TensorBoard by a short word: files in the run directory, continued by a resumed run."""

from __future__ import annotations

from pathlib import Path

import pytest

from foveate.pipeline.errors import ConfigError
from foveate.pipeline.loggers.tensorboard import TensorBoardLog


def test_metrics_of_a_run_that_goes_on_are_one_curve(tmp_path: Path) -> None:
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    for step in (1, 2):
        logger = TensorBoardLog()
        logger.settle_in(tmp_path)
        logger.log_hyperparams({"recipe": {"model": {"lr": 0.1, "tags": ["a"], "none": None}}})
        logger.log_metrics({"val/miou": step / 10}, step)
        logger.save()
        logger.finalize("success")
    found = accumulator.EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    events = found.Scalars("val/miou")
    assert [(event.step, round(event.value, 3)) for event in events] == [(1, 0.1), (2, 0.2)]


def test_without_the_package_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    module = "lightning.fabric.loggers.tensorboard"
    for name in ("_TENSORBOARD_AVAILABLE", "_TENSORBOARDX_AVAILABLE"):
        monkeypatch.setattr(f"{module}.{name}", False)
    with pytest.raises(ConfigError, match=r"pip install 'foveate\[tensorboard\]'"):
        TensorBoardLog()


def test_a_folder_that_cannot_be_written_is_no_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("tensorboard")
    (tmp_path / "file").touch()
    logger = TensorBoardLog()
    logger.settle_in(tmp_path / "file")
    assert logger.experiment is not None
    logger.log_metrics({"a": 1.0}, 1)
    assert capsys.readouterr().err.count("TensorBoard failed (FileExistsError") == 1
