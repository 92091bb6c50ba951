"""A process of a training, or one that reads for it, is lost, fails or hangs: the rest ends soon and says why."""

from __future__ import annotations

import os
import re
import signal
import time

import pytest

from foveate.tests.faults.conftest import Range, fault, finish, last_line, run_here, start
from foveate.tests.faults.test_signals import alive, begun, child_of

pytestmark = pytest.mark.slow
TWO = ["--trainer.devices=2"]


def goes_on(range_: Range, line: str, *more: str) -> None:
    """The training goes on from the checkpoint that a last line names, and no step is lost."""
    step = int(re.findall(r"\(step (\d+)\)", line)[0])
    words = range_.resume(*more, steps=step + 2)
    code, output = finish(start(range_.folder, words), 90) if TWO[0] in more else run_here(range_.folder, words)
    assert code == 0, output
    assert f"step {step}," in output


@pytest.mark.parametrize("rank", [0, 1])
@pytest.mark.parametrize("moment", ["fetched", "backward"])
def test_the_error_of_one_process_is_the_last_line_and_the_other_ends(rank: int, moment: str, range_: Range) -> None:
    words = range_.words(*TWO, fault("raise", step=6, rank=rank, moment=moment), steps=100)
    process = start(range_.folder, words)
    code, output = finish(process, 60)
    line = last_line(output)
    assert f"planted in process {rank} at step 6" in line, output
    assert code == (1 if rank == 0 else 138)
    assert "last good checkpoint" in line
    assert not alive(process)
    goes_on(range_, line, *TWO)


@pytest.mark.parametrize("rank", [0, 1])
def test_a_killed_process_ends_the_other_with_138_and_a_checkpoint(rank: int, range_: Range) -> None:
    process = begun(range_, *TWO)
    began = time.monotonic()
    other = child_of(process)
    os.kill(other if rank == 1 else process.pid, signal.SIGKILL)
    code, output = finish(process, 40)
    assert time.monotonic() - began < 30
    line = last_line(output)
    assert code == (138 if rank == 1 else -9), output
    assert line.startswith("foveate: ERROR machine: another process was lost"), output
    if rank == 1:
        assert "process 1 was killed by SIGKILL" in line
    assert not alive(process)
    goes_on(range_, line, *TWO) if rank == 1 else None


@pytest.mark.parametrize("kind", ["kill_worker", "stop_worker"])
def test_a_reading_process_that_is_gone_or_hangs_ends_with_138_and_no_step_is_lost(kind: str, range_: Range) -> None:
    only_train = "--trainer.val_check_interval=50"  # else the readers of the val images may be missed first
    words = range_.words("--data.worker_timeout=3", only_train, fault(kind, step=6), steps=100, workers=2)
    process = start(range_.folder, words)
    code, output = finish(process, 60)
    line = last_line(output)
    assert code == 138, output
    assert line.startswith("foveate: ERROR machine: "), output
    assert ("no batch was read in 3 s" if kind == "stop_worker" else "a reading process was lost") in line
    assert re.search(r"while reading .*images/train/\d\.png", line), line
    assert int(re.findall(r"\(step (\d+)\)", line)[0]) >= 6
    assert not alive(process)
    goes_on(range_, line)


def test_two_trainings_in_one_directory_the_second_is_refused(range_: Range) -> None:
    process = begun(range_)
    code, output = run_here(range_.folder, range_.resume(steps=10))
    assert code == 2, output
    assert f"process {process.pid} on " in last_line(output)
    process.kill()
    process.communicate()
    code, output = run_here(range_.folder, range_.resume(steps=1))
    assert code == 0, output
