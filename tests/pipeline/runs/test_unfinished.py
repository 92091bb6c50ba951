"""`--ckpt_path auto`: which run goes on, and when a new one begins."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from foveate.pipeline.errors import ConfigError
from foveate.pipeline.runs.lock import LOCK
from foveate.pipeline.runs.unfinished import find_unfinished, mark_begun, mark_finished
from foveate.pipeline.training.request import understand

JOB = ("SLURM_JOB_ID", "SLURM_ARRAY_JOB_ID", "SLURM_ARRAY_TASK_ID", "SLURM_RESTART_COUNT", "RANK", "FOVEATE_RUN_DIR")


@pytest.fixture(autouse=True)
def no_job(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in JOB:
        monkeypatch.delenv(name, raising=False)


def run(root: Path, number: int, *, finished: bool = False, checkpoint: bool = True, job: str = "") -> Path:
    folder = root / "tiny" / f"{number:04d}"
    (folder / "checkpoints").mkdir(parents=True)
    if checkpoint:
        torch.save({"state_dict": {}}, folder / "checkpoints" / "last.ckpt")
    mark_begun(folder)
    if job:
        (folder / ".job").write_text(f"{job}\n")
    if finished:
        mark_finished(folder)
    return folder


def found(root: Path) -> str | None:
    checkpoint = find_unfinished(root, "tiny")
    return None if checkpoint is None else checkpoint.parent.parent.name


def test_without_a_run_a_training_begins(tmp_path: Path) -> None:
    assert found(tmp_path) is None


def test_the_newest_run_goes_on_if_it_was_stopped(tmp_path: Path) -> None:
    run(tmp_path, 1, finished=True)
    run(tmp_path, 2)
    assert found(tmp_path) == "0002"


def test_after_a_finished_run_a_new_one_begins_whatever_was_stopped_before(tmp_path: Path) -> None:
    run(tmp_path, 1)
    run(tmp_path, 2, finished=True)
    assert found(tmp_path) is None


def test_a_run_that_was_finished_and_goes_on_is_unfinished_again(tmp_path: Path) -> None:
    folder = run(tmp_path, 1, finished=True)
    mark_begun(folder)
    assert found(tmp_path) == "0001"


def test_a_run_without_a_checkpoint_is_passed_over(tmp_path: Path) -> None:
    run(tmp_path, 1)
    run(tmp_path, 2, checkpoint=False)
    assert found(tmp_path) == "0001"


def test_a_run_in_which_another_process_trains_is_passed_over(tmp_path: Path) -> None:
    run(tmp_path, 1)
    busy = run(tmp_path, 2)
    code = (
        "import fcntl, sys; file = open(sys.argv[1], 'a+'); fcntl.lockf(file, fcntl.LOCK_EX); print('held', flush=True)"
        "; sys.stdin.read()"
    )
    words = [sys.executable, "-c", code, str(busy / LOCK)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        assert found(tmp_path) == "0001"
        holder.communicate()
    assert found(tmp_path) == "0002"


def test_a_job_that_is_started_again_goes_on_with_its_own_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(tmp_path, 1, job="44")
    run(tmp_path, 2, job="45")
    monkeypatch.setenv("SLURM_RESTART_COUNT", "1")
    for job, expected in (("44", "0001"), ("45", "0002"), ("46", None)):
        monkeypatch.setenv("SLURM_JOB_ID", job)
        assert found(tmp_path) == expected


def test_a_new_job_goes_on_with_what_an_earlier_one_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(tmp_path, 1, job="44")
    monkeypatch.setenv("SLURM_JOB_ID", "45")
    assert found(tmp_path) == "0001"


def test_jobs_of_an_array_take_no_run_of_each_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(tmp_path, 1, job="44_0")
    monkeypatch.setenv("SLURM_JOB_ID", "46")
    monkeypatch.setenv("SLURM_ARRAY_JOB_ID", "44")
    for task, expected in (("0", "0001"), ("1", None)):
        monkeypatch.setenv("SLURM_ARRAY_TASK_ID", task)
        assert found(tmp_path) == expected


def test_a_finished_run_of_the_same_job_is_not_begun_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(tmp_path, 1, job="44", finished=True)
    monkeypatch.setenv("SLURM_JOB_ID", "44")
    assert found(tmp_path) == "0001"


def test_other_processes_follow_the_first_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = run(tmp_path, 1)
    run(tmp_path, 2)
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("FOVEATE_RUN_DIR", str(chosen))
    assert found(tmp_path) == "0001"


@pytest.mark.parametrize(
    ("command", "words", "said"),
    [
        ("fit", [], "give --config RECIPE"),
        ("validate", ["--config=digits_vit_ti"], "takes last or best"),
    ],
)
def test_where_it_means_nothing_it_is_refused(command: str, words: list[str], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        understand(command, ["--ckpt_path=auto", *words])
