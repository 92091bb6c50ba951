"""Signals to a training, to its group and to one of its processes: it ends soon, with a checkpoint that goes on."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

from foveate.tests.faults.conftest import Range, fault, finish, last_line, run_here, start

pytestmark = pytest.mark.slow
CODES = {"SIGINT": 130, "SIGTERM": 143, "SIGHUP": 129}
NAMES = {"SIGINT": "interrupted", "SIGTERM": "terminated", "SIGHUP": "hung-up"}


def wait_for(path: Path, process: subprocess.Popen[str], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not path.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)


def begun(range_: Range, *more: str, **settings: object) -> subprocess.Popen[str]:
    """A long training that has written its first checkpoint."""
    process = start(range_.folder, range_.words(*more, steps=100_000, **settings))  # type: ignore[arg-type]
    wait_for(range_.run / "checkpoints" / "last.ckpt", process)
    return process


def left_behind(run: Path) -> list[str]:
    return [path.name for path in run.rglob("*.tmp-*")]


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("name", CODES)
@pytest.mark.parametrize("group", [False, True])
def test_a_signal_ends_a_training_with_a_checkpoint(name: str, group: bool, workers: int, range_: Range) -> None:
    process = begun(range_, workers=workers)
    began = time.monotonic()
    (os.killpg if group else os.kill)(process.pid, getattr(signal, name))
    code, output = finish(process)
    assert time.monotonic() - began < 10
    assert code == CODES[name], output
    line = last_line(output)
    assert line.startswith(f"foveate: ERROR {NAMES[name]}: stopped by")
    step = int(re.findall(r"\(step (\d+)\); resume: foveate fit --ckpt_path", line)[0])
    assert not left_behind(range_.run)
    code, output = run_here(range_.folder, range_.resume(steps=step + 2))
    assert code == 0, output
    assert f"last.ckpt: step {step}," in output


@pytest.mark.parametrize("delay", [0.0, 0.2, 0.5, 1.2])
@pytest.mark.parametrize("count", [2, 5])
def test_more_signals_end_it_at_once_and_damage_nothing(count: int, delay: float, range_: Range) -> None:
    process = begun(range_, fault("slow", step=5, times=1000))
    for _ in range(count):
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        time.sleep(delay)
    code, output = finish(process, 20)
    assert code == 143, output
    assert not left_behind(range_.run)
    code, output = run_here(range_.folder, range_.resume(steps=6))
    assert code == 0, output


@pytest.mark.parametrize("moment", ["group", "first", "second"])
def test_two_processes_end_together_with_a_checkpoint_that_both_go_on_from(moment: str, range_: Range) -> None:
    two = ["--trainer.devices=2"]
    process = begun(range_, *two, workers=1)
    began = time.monotonic()
    if moment == "group":
        os.killpg(process.pid, signal.SIGTERM)
    else:
        os.kill(process.pid if moment == "first" else child_of(process), signal.SIGTERM)
    code, output = finish(process)
    assert time.monotonic() - began < 10
    assert code == 143, output
    line = last_line(output)
    assert line.startswith("foveate: ERROR terminated: stopped by SIGTERM; last good checkpoint")
    step = int(re.findall(r"\(step (\d+)\)", line)[0])
    assert not alive(process)
    code, output = finish(start(range_.folder, range_.resume(*two, steps=step + 2)), 90)
    assert code == 0, output


def child_of(process: subprocess.Popen[str]) -> int:
    """The second process of a training: the child that runs Python with our command, and not a reading process."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    found = [int(child) for child in children if "LOCAL_RANK=1" in environment_of(child)]
    assert found
    return found[0]


def environment_of(pid: str) -> str:
    return Path(f"/proc/{pid}/environ").read_bytes().decode(errors="replace")


def alive(process: subprocess.Popen[str]) -> list[str]:
    """What is left of a training's processes, apart from those that are ending."""
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        found = subprocess.run(["pgrep", "-g", str(process.pid)], capture_output=True, text=True).stdout.split()
        if not found:
            return []
        time.sleep(0.2)
    return found
