"""Which training `--ckpt_path auto` goes on with: one that was stopped, so that a job's script needs no change."""

from __future__ import annotations

import os
from pathlib import Path

from foveate.pipeline.errors import ConfigError
from foveate.pipeline.files import write_text
from foveate.pipeline.runs.directories import CHECKPOINTS, RUN_DIR_VARIABLE, global_rank, list_runs
from foveate.pipeline.runs.jobs import job_of
from foveate.pipeline.runs.lock import is_held
from foveate.pipeline.runs.store import newest_good

AUTO = "auto"
FINISHED = ".finished"  # in a run directory whose training reached its end
JOB = ".job"  # holds the id of the SLURM job that trains in the run directory


def find_unfinished(root: Path, name: str | None) -> Path | None:
    """The checkpoint to go on from; None if the training is to begin.

    That is the last one of the recipe's newest run, if that was stopped. Runs without a checkpoint, and those in which
    another process trains, are passed over. A job of SLURM that is started again, and one of an array, goes on with its
    own run only.

    Args:
        root: Where runs are kept.
        name: The recipe's name.

    Raises:
        ConfigError: No recipe is given.
    """
    if name is None:
        raise ConfigError("--ckpt_path auto goes on with the newest unfinished run of a recipe: give --config RECIPE")
    if global_rank() > 0 and RUN_DIR_VARIABLE in os.environ:  # the first process has chosen, and started this one
        return newest_good(Path(os.environ[RUN_DIR_VARIABLE]) / CHECKPOINTS)
    job = job_of(os.environ)
    own = [run for run in list_runs(root, name) if job is not None and _job_in(run) == job]
    again = int(os.environ.get("SLURM_RESTART_COUNT") or 0) > 0 or "SLURM_ARRAY_TASK_ID" in os.environ
    candidates = own or ([] if job is not None and again else list_runs(root, name))
    for run in reversed(candidates):
        if is_held(run) or (found := newest_good(run / CHECKPOINTS)) is None:
            continue
        return None if is_finished(run) and run not in own else found.absolute()
    return None


def is_finished(run: Path) -> bool:
    """Whether the training in a run directory reached its end.

    Args:
        run: The run directory.
    """
    return (run / FINISHED).exists()


def mark_begun(run: Path) -> None:
    """Note that a training begins or goes on in a run directory, and in which job.

    Args:
        run: The run directory.
    """
    (run / FINISHED).unlink(missing_ok=True)
    if job := job_of(os.environ):
        write_text(run / JOB, f"{job}\n")


def mark_finished(run: Path) -> None:
    """Note that the training in a run directory reached its end.

    Args:
        run: The run directory.
    """
    write_text(run / FINISHED, "")


def _job_in(run: Path) -> str | None:
    try:
        return (run / JOB).read_text(encoding="utf-8").strip()
    except OSError:
        return None
