"""Run directories: numbers, links, and which checkpoint `last` means."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from foveate.pipeline.errors import CheckpointError, ConfigError
from foveate.pipeline.runs.directories import choose_run, list_runs, point_latest, run_of
from foveate.pipeline.runs.finding import find_checkpoint


@pytest.fixture(autouse=True)
def only_process(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("RANK", "LOCAL_RANK", "SLURM_PROCID"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("FOVEATE_RUN_DIR", "")  # so that it is put back


def checkpoint(run: Path, name: str = "last") -> Path:
    path = run / "checkpoints" / f"{name}.ckpt"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"weights")
    return path


def test_runs_are_numbered_and_latest_is_the_one_that_trained(tmp_path: Path) -> None:
    runs = [choose_run(tmp_path, "camvid") for _ in range(3)]
    assert [run.name for run in runs] == ["0001", "0002", "0003"]
    assert not (tmp_path / "latest").exists()
    point_latest(runs[1])
    choose_run(tmp_path, "camvid")
    assert (tmp_path / "latest").resolve() == (tmp_path / "camvid" / "latest").resolve() == runs[1]


def test_a_run_that_was_never_validated_has_no_best_and_says_so(tmp_path: Path) -> None:
    run = choose_run(tmp_path, "camvid")
    checkpoint(run)
    point_latest(run)
    for name in (None, "camvid"):
        with pytest.raises(CheckpointError, match=r"never validated.*--ckpt_path last"):
            find_checkpoint("best", tmp_path, name)


def test_run_ten_thousand_comes_after_9999(tmp_path: Path) -> None:
    (tmp_path / "camvid" / "9999").mkdir(parents=True)
    assert choose_run(tmp_path, "camvid").name == "10000"
    assert [run.name for run in list_runs(tmp_path, "camvid")][-1] == "10000"


@pytest.mark.parametrize("name", ["../x", "a/b", "", ".", "..", "x" * 129, "nul\0"])
def test_a_name_that_leads_elsewhere_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError):
        choose_run(tmp_path, name)


def test_a_file_in_the_way_is_named(tmp_path: Path) -> None:
    (tmp_path / "runs").touch()
    with pytest.raises(ConfigError, match="runs"):
        choose_run(tmp_path / "runs", "camvid")


def test_a_second_process_takes_what_the_first_chose(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = choose_run(tmp_path, "camvid")
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert choose_run(tmp_path, "camvid") == first
    assert len(list_runs(tmp_path, "camvid")) == 1


def test_last_is_of_the_newest_run_that_has_one_whatever_the_clock_says(tmp_path: Path) -> None:
    older, newer, _empty = (choose_run(tmp_path, "camvid") for _ in range(3))
    expected = checkpoint(newer)
    os.utime(checkpoint(older), (4e9, 4e9))
    assert find_checkpoint("last", tmp_path, "camvid") == expected


@pytest.mark.parametrize("which", ["last", "best", "nope.ckpt"])
def test_no_checkpoint_is_exit_code_4(tmp_path: Path, which: str) -> None:
    choose_run(tmp_path, "camvid")
    with pytest.raises(CheckpointError) as raised:
        find_checkpoint(which, tmp_path, "camvid")
    assert raised.value.exit_code == 4


def test_a_checkpoint_knows_its_run(tmp_path: Path) -> None:
    run = choose_run(tmp_path, "camvid")
    path = checkpoint(run)
    assert run_of(path) is None
    (run / "recipe.yaml").touch()
    assert run_of(path) == run
