"""SLURM: a job whose time is nearly over asks to be queued again, and goes on when it is started the next time."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

from foveate.pipeline.errors import Stopped
from foveate.pipeline.runs.directories import global_rank
from foveate.pipeline.runs.jobs import job_of

PATIENCE = 20.0  # seconds for scontrol; the job's time is nearly over


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
