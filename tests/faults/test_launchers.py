"""Trainings that torchrun or SLURM start: one run, an end with a checkpoint, a cause that is told, and a new start."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from foveate.tests.faults.cluster import Cluster
from foveate.tests.faults.conftest import Range, environment, fault, finish
from foveate.tests.faults.test_signals import alive, wait_for

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = ROOT / "docs" / "slurm"
LIMIT = 90
SMALL = "--nodes=1 --ntasks-per-node=2"


def torchrun(range_: Range, *more: str, steps: int = 12, restarts: int = 0) -> subprocess.Popen[str]:
    agent = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    words = [*agent, f"--max_restarts={restarts}", "-m", "foveate.cli", *range_.words(*more, steps=steps)]
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    return subprocess.Popen(words, cwd=range_.folder, env=environment(), text=True, start_new_session=True, **streams)  # type: ignore[call-overload,no-any-return]


def runs_in(range_: Range) -> list[str]:
    return sorted(path.name for path in range_.run.parent.glob("0*"))


def test_torchrun_makes_one_run_and_learns_what_lightnings_own_launcher_does(range_: Range) -> None:
    code, output = finish(torchrun(range_), LIMIT)
    assert code == 0, output
    assert output.count("run directory") == 1
    assert runs_in(range_) == ["0001"]
    assert not (range_.folder / "runs" / "folder_segnext_t" / "other-process").exists()
    began = range_.recorded()
    words = range_.words("--trainer.devices=2", "--trainer.default_root_dir=other", record="own.txt")
    code, output = finish(start_here(range_, words), LIMIT)
    assert code == 0, output
    assert range_.recorded("own.txt") == began


def start_here(range_: Range, words: list[str]) -> subprocess.Popen[str]:
    from foveate.tests.faults.conftest import start

    return start(range_.folder, words)


def test_sigterm_to_the_agent_ends_with_a_checkpoint_and_auto_goes_on_in_the_same_run(range_: Range) -> None:
    process = torchrun(range_, steps=100_000)
    wait_for(range_.run / "checkpoints" / "last.ckpt", process)
    began = time.monotonic()
    process.terminate()
    code, output = finish(process, 40)
    assert time.monotonic() - began < 20
    assert code != 0
    lines = [line for line in output.splitlines() if line.startswith("foveate: ERROR")]
    assert lines, output
    assert all(line.startswith("foveate: ERROR terminated: stopped by SIGTERM; last good") for line in lines)
    step = int(re.findall(r"\(step (\d+)\)", lines[-1])[0])
    assert not alive(process)
    code, output = finish(torchrun(range_, "--ckpt_path=auto", steps=step + 2), LIMIT)
    assert code == 0, output
    assert f"step {step}," in output
    assert runs_in(range_) == ["0001"]


def test_the_cause_of_a_failing_process_is_what_torchrun_shows_last(range_: Range) -> None:
    process = torchrun(range_, fault("raise", step=6, rank=1))
    code, output = finish(process, LIMIT)
    assert code == 1
    causes = [line for line in output.splitlines() if "planted in process 1 at step 6" in line]
    assert any(line.startswith("foveate: ERROR machine: process 1 on ") for line in causes), output
    assert "foveate: ERROR bug: ValueError: planted" in output.split("Root Cause")[1]
    assert not alive(process)


def test_torchrun_starts_a_failed_training_again_and_auto_goes_on(range_: Range) -> None:
    planted = fault("raise", step=6, rank=1)
    process = torchrun(range_, "--ckpt_path=auto", "--checkpoints.every_steps=1", planted, restarts=1, steps=9)
    code, output = finish(process, LIMIT)
    assert code != 0  # the fault is planted in the second attempt too
    assert "checkpoint runs/folder_segnext_t/0001/checkpoints/last.ckpt: step 6" in output, output
    assert runs_in(range_) == ["0001"]


def test_a_number_of_devices_that_torchrun_did_not_start_is_refused(range_: Range) -> None:
    code, output = finish(torchrun(range_, "--trainer.devices=3"), LIMIT)
    assert code != 0
    assert "foveate: ERROR config: --trainer.devices 3: torchrun started 2" in output


def submitted(
    range_: Range, steps: int, script: str = "two_nodes.sbatch", options: str = SMALL, **more: str
) -> subprocess.Popen[str]:
    words = [word for word in range_.words(steps=steps)[1:] if not word.startswith("--config")]
    return Cluster(range_.folder).submit(
        SCRIPTS / script, words, options=options, RECIPE="folder_segnext_t", MASTER_PORT=port(), **more
    )


def port() -> str:
    import socket

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return str(free.getsockname()[1])


def test_a_job_whose_time_is_over_is_queued_again_and_goes_on_by_itself(range_: Range) -> None:
    job = submitted(range_, 100_000)
    wait_for(range_.run / "checkpoints" / "last.ckpt", job)
    stop_tasks(job)
    code, output = finish(job, 40)
    assert code == 138, output
    assert Cluster(range_.folder).calls == ["requeue 4711"]
    assert "job 4711 is queued again" in output
    step = int(re.findall(r"\(step (\d+)\)", output)[-1])
    code, output = finish(submitted(range_, step + 2, SLURM_RESTART_COUNT="1"), LIMIT)
    assert code == 0, output
    assert f"step {step}," in output
    assert runs_in(range_) == ["0001"]
    code, output = finish(submitted(range_, step + 2, SLURM_RESTART_COUNT="2"), LIMIT)
    assert code == 0, output
    assert "nothing is left to train" in output
    assert runs_in(range_) == ["0001"]


def stop_tasks(job: subprocess.Popen[str]) -> None:
    """SLURM's signal goes to the tasks, not to the script."""
    found = subprocess.run(["pgrep", "-g", str(job.pid), "-f", "bin/foveate fit"], capture_output=True, text=True)
    for pid in found.stdout.split():
        if b"SLURM_PROCID=" in Path(f"/proc/{pid}/environ").read_bytes():
            os.kill(int(pid), signal.SIGUSR1)


def test_a_job_that_cannot_be_queued_again_only_warns(range_: Range) -> None:
    job = submitted(range_, 100_000, SCONTROL_FAILS="1")
    wait_for(range_.run / "checkpoints" / "last.ckpt", job)
    stop_tasks(job)
    code, output = finish(job, 40)
    assert code == 138, output
    assert "warning: the job could not be queued again (slurm_requeue error" in output
    assert "foveate: ERROR preempted: stopped by SIGUSR1" in output


def test_sigterm_to_a_job_does_not_queue_it_again(range_: Range) -> None:
    job = submitted(range_, 100_000)
    wait_for(range_.run / "checkpoints" / "last.ckpt", job)
    os.killpg(job.pid, signal.SIGTERM)
    _, output = finish(job, 40)
    assert "foveate: ERROR terminated: stopped by SIGTERM; last good checkpoint" in output
    assert Cluster(range_.folder).calls == []


def test_jobs_of_an_array_have_runs_of_their_own(range_: Range) -> None:
    array = {"SLURM_ARRAY_JOB_ID": "4711", "SLURM_RESTART_COUNT": "0"}
    for number in ("0", "1"):
        more = {**array, "SLURM_ARRAY_TASK_ID": number}
        code, output = finish(submitted(range_, 2, "array.sbatch", "--nodes=1 --ntasks-per-node=1", **more), LIMIT)
        assert code == 0, output
    assert runs_in(range_) == ["0001", "0002"]
    assert (range_.run / ".job").read_text() == "4711_0\n"


def test_torchrun_within_a_job_makes_one_run(range_: Range) -> None:
    words = [word for word in range_.words(steps=2)[1:] if not word.startswith("--config")]
    more = {"RECIPE": "folder_segnext_t", "PER_NODE": "2"}
    script = range_.folder / "torchrun.sbatch"
    script.write_text((SCRIPTS / "torchrun.sbatch").read_text().replace("29500", port()))
    job = Cluster(range_.folder).submit(script, words, options="--nodes=1", **more)
    code, output = finish(job, LIMIT)
    assert code == 0, output
    assert output.count("run directory") == 1
    assert runs_in(range_) == ["0001"]
