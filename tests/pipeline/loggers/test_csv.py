"""The local log keeps every number, also when a run goes on."""

from __future__ import annotations

import logging
import resource
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


def test_rows_wait_while_the_disk_is_full_and_are_written_once_it_is_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = CsvLog(tmp_path)
    log.log_metrics({"a": 1.0}, 1)
    before = (tmp_path / "metrics.csv").read_bytes()
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 3, limit[1]))
    try:
        for step in range(2, 5):
            log.log_metrics({"a": float(step)}, step)
        log.log_metrics({"b": 5.0}, 5)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert (tmp_path / "metrics.csv").read_bytes() == before  # nothing half-written
    log.log_metrics({"a": 6.0}, 6)
    assert [row["step"] for row in read_log(tmp_path / "metrics.csv")] == [str(step) for step in range(1, 7)]
    assert read_log(tmp_path / "metrics.csv")[4]["b"] == "5.0"
    assert capsys.readouterr().err.count("rows are kept in memory") == 1


def test_rows_that_could_never_be_written_are_told_at_the_end(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    log = CsvLog(tmp_path / "file" / "run")
    log.log_metrics({"a": 1.0}, 1)
    log.finalize("success")
    assert "the last 1 rows could not be written and are lost" in capsys.readouterr().err
