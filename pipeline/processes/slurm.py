"""SLURM: a job whose time is nearly over asks to be queued again, and goes on when it is started the next time."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping

from foveate.pipeline.errors import Stopped
from foveate.pipeline.runs.directories import global_rank

PATIENCE = 20.0  # seconds for scontrol; the job's time is nearly over


def job_of(environment: Mapping[str, str]) -> str | None:
    """The id of this process's job, as scontrol takes it; None outside of SLURM.

    It stays the same when the job is queued again. Jobs of an array have their number in it.

    Args:
        environment: The environment variables.

    Example:
        >>> job_of({"SLURM_JOB_ID": "44"}), job_of({"SLURM_JOB_ID": "47", "SLURM_ARRAY_JOB_ID": "44",
        ...     "SLURM_ARRAY_TASK_ID": "3"}), job_of({})
        ('44', '44_3', None)
    """
    array, task = environment.get("SLURM_ARRAY_JOB_ID"), environment.get("SLURM_ARRAY_TASK_ID")
    if array and task:
        return f"{array}_{task}"
    return environment.get("SLURM_JOB_ID") or None


def requeue_after(stop: Stopped) -> None:
    """Queue the job again if its time was nearly over (SIGUSR1); a failure is a warning only.

    Args:
        stop: What ended the training, after its checkpoint was written.
    """
    job = job_of(os.environ)
    if job is None or stop.number != getattr(signal, "SIGUSR1", None) or global_rank() > 0:
        return
    try:
        done = subprocess.run(["scontrol", "requeue", job], capture_output=True, text=True, timeout=PATIENCE)
        fault = "" if done.returncode == 0 else (done.stderr or done.stdout).strip() or f"exit code {done.returncode}"
    except (OSError, subprocess.TimeoutExpired) as error:
        fault = str(error)
    if fault:
        text = f"warning: the job could not be queued again ({' '.join(fault.split())}): scontrol requeue {job}"
    else:
        text = f"job {job} is queued again; it goes on from its checkpoint if it runs with --ckpt_path auto"
    print(f"foveate: {text}", file=sys.stderr, flush=True)
