"""The local log keeps every number, also when a run goes on."""

from __future__ import annotations

from pathlib import Path

from foveate.pipeline.loggers.csv import CsvLog, read_log


def test_a_new_metric_widens_the_file(tmp_path: Path) -> None:
    log = CsvLog(tmp_path)
    log.log_metrics({"train/loss": 2.0}, 1)
    log.log_metrics({"val/miou": 0.5, "val/iou/bus": float("nan")}, 2)
    first, second = read_log(tmp_path / "metrics.csv")
    assert first == {"step": "1", "train/loss": "2.0", "val/miou": "", "val/iou/bus": ""}
    assert second == {"step": "2", "train/loss": "", "val/miou": "0.5", "val/iou/bus": "nan"}


def test_a_run_that_goes_on_keeps_its_rows(tmp_path: Path) -> None:
    CsvLog(tmp_path).log_metrics({"a": 1.0}, 1)
    CsvLog(tmp_path).log_metrics({"b": 2.0}, 2)
    assert [row["step"] for row in read_log(tmp_path / "metrics.csv")] == ["1", "2"]
    assert not list(tmp_path.glob("*.tmp"))
