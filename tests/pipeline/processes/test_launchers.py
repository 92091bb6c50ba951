"""Who has started this process, and what the processes of a launcher learn from the first one."""

from __future__ import annotations

import json
import multiprocessing
import os
import socket
from pathlib import Path

import pytest

from foveate.pipeline.processes import launchers, slurm
from foveate.pipeline.processes.launchers import agree_on, is_from_outside, started_by, tell_launcher
from foveate.pipeline.runs.directories import global_rank

OURS = {"NODE_RANK": "0", "LOCAL_RANK": "1", "FOVEATE_RUN_DIR": "runs/r/0001"}
SRUN = {"SLURM_PROCID": "1", "SLURM_NTASKS": "2", "SLURM_NNODES": "1", "SLURM_NTASKS_PER_NODE": "2"}


@pytest.mark.parametrize(
    ("environment", "outside"),
    [
        ({}, False),
        (OURS, False),
        (SRUN, True),
        ({**SRUN, "SLURM_JOB_NAME": "interactive"}, False),
        ({**SRUN, **OURS}, False),
        ({"SLURM_PROCID": "0", "SLURM_NTASKS": "1"}, False),
        ({"TORCHELASTIC_RUN_ID": "none", "RANK": "0", "WORLD_SIZE": "1", "LOCAL_WORLD_SIZE": "1"}, True),
        ({"RANK": "1", "WORLD_SIZE": "4"}, True),
    ],
)
def test_who_has_started_this_process(environment: dict[str, str], outside: bool) -> None:
    assert is_from_outside(environment) is outside


def test_torchrun_within_a_job_counts_more_than_the_job() -> None:
    agent = {"TORCHELASTIC_RUN_ID": "9", "LOCAL_WORLD_SIZE": "4", "WORLD_SIZE": "8"}
    assert started_by({**SRUN, **agent}) == ("torchrun", 4, 2)


def test_a_child_of_lightnings_launcher_within_a_task_is_no_first_process(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {**OURS, "SLURM_PROCID": "0"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("RANK", raising=False)
    assert global_rank() == 1


def answer(rank: int, port: int, into: Path) -> None:
    os.environ.update(RANK=str(rank), WORLD_SIZE="3", MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
    chosen = agree_on("run", lambda: f"chosen by {rank}")
    (into / str(rank)).write_text(chosen)
    deadline = [into / str(other) for other in range(3)]
    while not all(path.exists() for path in deadline):  # the first process holds the store
        pass


def test_processes_started_from_outside_learn_what_the_first_one_chose(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=answer, args=(rank, port, tmp_path)) for rank in (2, 1, 0)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
        assert process.exitcode == 0
    assert {path.read_text() for path in tmp_path.iterdir()} == {"chosen by 0"}


def test_a_process_alone_chooses_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RANK", "WORLD_SIZE", "TORCHELASTIC_RUN_ID", "SLURM_PROCID"):
        monkeypatch.delenv(name, raising=False)
    assert agree_on("run", lambda: "mine") == "mine"
    assert not launchers._stores


def test_torchruns_file_of_errors_holds_the_cause(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(launchers.ERROR_FILE, str(tmp_path / "0" / "error.json"))
    tell_launcher("foveate: ERROR data: no image")
    first = json.loads((tmp_path / "0" / "error.json").read_text())["message"]
    tell_launcher("foveate: ERROR data: no image", follows=True)
    after = json.loads((tmp_path / "0" / "error.json").read_text())["message"]
    assert first["message"] == "foveate: ERROR data: no image"
    assert int(first["extraInfo"]["timestamp"]) < int(after["extraInfo"]["timestamp"])


def stub(folder: Path, code: str) -> None:
    path = folder / "scontrol"
    path.write_text(f"#!/bin/sh\n{code}\n")
    path.chmod(0o755)


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ('echo "$@" > called', "job 44_3 is queued again"),
        ("echo disabled >&2; exit 1", "could not be queued again (disabled)"),
        ("sleep 30", "timed out"),
    ],
)
def test_a_job_is_queued_again_within_bounds(
    code: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import signal

    from foveate.pipeline.errors import Stopped

    stub(tmp_path, code)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(slurm, "PATIENCE", 0.5)
    job = {"SLURM_JOB_ID": "47", "SLURM_ARRAY_JOB_ID": "44", "SLURM_ARRAY_TASK_ID": "3", "SLURM_PROCID": "0"}
    for name, value in {**job, "PATH": f"{tmp_path}:{os.environ['PATH']}"}.items():
        monkeypatch.setenv(name, value)
    slurm.requeue_after(Stopped(signal.SIGTERM))
    assert capsys.readouterr().err == ""
    slurm.requeue_after(Stopped(signal.SIGUSR1))
    assert said in capsys.readouterr().err
    if "called" in code:
        assert (tmp_path / "called").read_text() == "requeue 44_3\n"
    monkeypatch.setenv("SLURM_PROCID", "1")
    slurm.requeue_after(Stopped(signal.SIGUSR1))
    assert capsys.readouterr().err == ""


def test_without_scontrol_a_job_that_is_stopped_only_warns(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    import signal

    from foveate.pipeline.errors import Stopped

    monkeypatch.setenv("SLURM_JOB_ID", "47")
    monkeypatch.setenv("PATH", str(tmp_path))
    slurm.requeue_after(Stopped(signal.SIGUSR1))
    assert "warning: the job could not be queued again" in capsys.readouterr().err
