"""kill -9 at random moments: there is always a checkpoint to go on from, and the end is that of an undisturbed run."""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path

import pytest

from foveate.pipeline.runs.checkpoints import read_checkpoint
from foveate.pipeline.runs.integrity import fault_of
from foveate.pipeline.runs.store import newest_good
from foveate.tests.faults.conftest import Range, fault, run_here, start
from foveate.tests.faults.test_signals import wait_for
from foveate.tests.faults.tiny import fingerprint

pytestmark = pytest.mark.slow
KILLS = int(os.environ.get("FOVEATE_KILLS", "6"))
STEPS = 20 + 8 * KILLS
EACH = ["--checkpoints.every_steps=1", "--trainer.val_check_interval=7"]
SLOW = fault("slow", step=0, times=1_000_000, seconds=0.05)
ELSEWHERE = "/dev/shm"


def end_of(range_: Range) -> str:
    return fingerprint(read_checkpoint(range_.run / "checkpoints" / "last.ckpt")["state_dict"])


def test_a_training_that_is_killed_again_and_again_ends_as_if_it_had_not_been(range_: Range) -> None:
    code, output = run_here(range_.folder, range_.words(*EACH, steps=STEPS))
    assert code == 0, output
    expected, losses = end_of(range_), range_.recorded()
    (range_.folder / "runs").rename(range_.folder / "undisturbed")
    (range_.folder / "record.txt").unlink()
    environment = {"TMPDIR": ELSEWHERE} if Path(ELSEWHERE).is_dir() else {}
    rng = random.Random(0)
    folder = range_.run / "checkpoints"
    words = range_.words(*EACH, SLOW, steps=STEPS)
    killed = 0
    for _ in range(KILLS):
        process = start(range_.folder, words, **environment)
        record = range_.folder / "record.txt"
        size = record.stat().st_size if record.exists() else 0
        wait_for(folder / "last.ckpt", process)
        while process.poll() is None and (record.stat().st_size if record.exists() else 0) == size:
            time.sleep(0.01)
        time.sleep(rng.random() * 0.5)
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            killed += 1
        process.communicate()
        assert newest_good(folder) is not None
        assert not [path for path in folder.glob("*.ckpt") if fault_of(path)]
        words = range_.resume(SLOW, steps=STEPS)
    code, output = run_here(range_.folder, words)
    assert code == 0, output
    assert killed == KILLS
    assert end_of(range_) == expected
    assert range_.recorded() == losses
    assert not list(range_.run.rglob("*.tmp-*"))
