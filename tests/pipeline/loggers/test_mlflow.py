"""MLflow by a short word: runs in the run directory, continued by a resumed run."""

from __future__ import annotations

from pathlib import Path

import pytest

from foveate.pipeline.errors import ConfigError
from foveate.pipeline.loggers.mlflow import MLFlowLog


def test_without_the_package_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lightning.pytorch.loggers.mlflow._MLFLOW_AVAILABLE", False)
    with pytest.raises(ConfigError, match="MLflow is not installed; try: pip install mlflow"):
        MLFlowLog()


def test_a_run_that_goes_on_continues_its_own(tmp_path: Path) -> None:
    client = pytest.importorskip("mlflow.tracking").MlflowClient
    for step in (1, 2):
        logger = MLFlowLog()
        logger.settle_in(tmp_path / "recipe" / "0001")
        logger.log_metrics({"val/miou": step / 10}, step)
        logger.finalize("success")
    points = client(logger._tracking_uri).get_metric_history(logger.run_id, "val/miou")
    assert [(point.step, point.value) for point in points] == [(1, 0.1), (2, 0.2)]
