"""The local log keeps every number, also when a run goes on."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

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


@pytest.mark.parametrize(
    "damage",
    [b"step,a\n", b"2,\xff\xfe\n", b"2,0.", b"\0\0\0\n", b"2,1.0,7\n"],
    ids=["heading", "utf8", "cut", "nul", "long"],
)
def test_damaged_lines_are_left_out_and_told_once(
    tmp_path: Path, damage: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "metrics.csv"
    path.write_bytes(b"step,a\n1,0.5\n" + damage)
    log = CsvLog(tmp_path)
    log.log_metrics({"a": 1.0}, 3)
    log.log_metrics({"b": 2.0}, 4)
    with caplog.at_level(logging.WARNING):
        rows = read_log(path)
    assert [row["step"] for row in rows if row["step"] != "2"] == ["1", "3", "4"]
    assert len([record for record in caplog.records if "damaged" in record.message]) <= 1
