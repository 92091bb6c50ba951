"""One training of a search, in a process of its own, so that running out of memory does not end the search."""

from __future__ import annotations

import ctypes
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from foveate.pipeline.loggers.csv import read_log
from foveate.pipeline.runs.directories import RUN_DIR_VARIABLE, list_runs
from foveate.pipeline.runs.lock import is_held

LOG = "output.txt"
LOOK = 0.3  # seconds between two looks at the log
PATIENCE = 20.0  # seconds in which a training that is stopped writes its checkpoint
PR_SET_PDEATHSIG = 1
ERROR = "foveate: ERROR "


@dataclass(frozen=True)
class Outcome:
    """How a training ended.

    Attributes:
        code: Its exit code.
        cause: Its last line, if it failed.
        run: Its run directory, if there is one.
        scores: The score of each validation, by step.
        stopped: Whether it was stopped early.
    """

    code: int
    cause: str
    run: Path | None
    scores: dict[int, float]
    stopped: bool


def train(words: Sequence[str], folder: Path, name: str, monitor: str, stops: Callable[[int, float], bool]) -> Outcome:
    """Train in a child process, and stop it early if asked.

    Args:
        words: The command line after `foveate`.
        folder: Where its runs are kept.
        name: The recipe's name.
        monitor: The metric of its log that is the score.
        stops: Called with step and score of each validation; whether the training is to be stopped.
    """
    folder.mkdir(parents=True, exist_ok=True)
    _wait_for_earlier(folder, name)
    left_out = (RUN_DIR_VARIABLE, "PL_GLOBAL_SEED", "PL_SEED_WORKERS")
    environment = {key: value for key, value in os.environ.items() if key not in left_out}
    with (folder / LOG).open("a", encoding="utf-8") as log:
        child = subprocess.Popen(
            [sys.executable, "-m", "foveate.cli", *words],
            stdout=log,
            stderr=subprocess.STDOUT,
            env=environment,
            start_new_session=True,  # Ctrl-C reaches the search, which ends the training
            preexec_fn=_end_with_parent,
        )
    scores: dict[int, float] = {}
    stopped = False
    try:
        while True:
            ended = child.poll() is not None
            for step, score in _scores(folder, name, monitor).items():
                if step not in scores:
                    scores[step] = score
                    stopped = stopped or (not ended and stops(step, score))
            if ended:
                break
            if stopped:
                _end(child)
            time.sleep(LOOK)
    finally:
        _end(child)
    runs = list_runs(folder, name)
    cause = "" if child.returncode == 0 else _cause(folder / LOG, child.returncode)
    return Outcome(child.returncode, cause, runs[-1] if runs else None, scores, stopped)


def _end_with_parent() -> None:
    """Have the system send SIGTERM to the training if the search is killed; on Linux only."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal.SIGTERM))


def _wait_for_earlier(folder: Path, name: str) -> None:
    """Wait shortly for a training that ends since its search was killed."""
    deadline = time.monotonic() + PATIENCE
    while any(is_held(run) for run in list_runs(folder, name)) and time.monotonic() < deadline:
        time.sleep(LOOK)


def _end(child: subprocess.Popen[bytes]) -> None:
    if child.poll() is not None:
        return
    child.terminate()
    try:
        child.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        with suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()


def _scores(folder: Path, name: str, monitor: str) -> dict[int, float]:
    """The scores in the logs of a training's runs, by step; those that are not numbers are left out."""
    found: dict[int, float] = {}
    for run in list_runs(folder, name):
        for row in read_log(run / "metrics.csv"):
            with suppress(ValueError):
                step, score = int(row["step"]), float(row.get(monitor) or "nan")
                if not math.isnan(score):
                    found[step] = score
    return found


def _cause(log: Path, code: int) -> str:
    """The last error that a training printed, or the signal that killed it."""
    if code < 0:
        name = signal.Signals(-code).name
        return f"killed by {name}" + ", as when memory runs out" * (name == "SIGKILL")
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    errors = [line.removeprefix(ERROR) for line in lines if line.startswith(ERROR)]
    return errors[-1] if errors else (lines or ["killed"])[-1]
