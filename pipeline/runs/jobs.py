"""The job of SLURM that a process belongs to."""

from __future__ import annotations

from collections.abc import Mapping


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
