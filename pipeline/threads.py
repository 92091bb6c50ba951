"""How the threads of a process wait for each other, and how many there are: set before torch is loaded."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import MutableMapping
from pathlib import Path

from foveate.datasets.cores import usable_cores

SPINS = 3_000  # GNU OpenMP's own is 300 000; with this, two threads are as fast on a machine that does nothing else
SPINS_IF_BUSY = 1_000
SAID = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME")  # what a user may have said about waiting
LOAD = Path("/proc/loadavg")
LOOKS, BETWEEN = 5, 0.004  # seconds


def choose_threads(environment: MutableMapping[str, str] = os.environ) -> None:
    """Choose the number of threads and how they wait, where the user has said nothing.

    OpenMP's threads spin while they wait for each other. If another process runs on one of their cores, all spin until
    that one gets its turn: a training step of SegNeXt-T on two threads took 3.4 times as long as on a machine that does
    nothing else, and 2.3 times with 1000 spins (which cost a tenth on that machine). With 3000 it is about as fast as
    with GNU OpenMP's own number there. Neither changes a bit of what is computed. The number of threads does, so
    it follows affinity and quota alone, which stay, and not the load, which changes.

    Does nothing if torch is loaded: its OpenMP has read the environment then.

    Args:
        environment: The variables, which are changed.
    """
    if "torch" in sys.modules:
        return
    cores = usable_cores()
    if "OMP_NUM_THREADS" not in environment and cores < (os.cpu_count() or 1):
        environment["OMP_NUM_THREADS"] = str(cores)
    if not any(word in environment for word in SAID):
        environment["GOMP_SPINCOUNT"] = str(SPINS_IF_BUSY if is_busy(_threads(cores, environment)) else SPINS)


def _threads(cores: int, environment: MutableMapping[str, str]) -> int:
    said = environment.get("OMP_NUM_THREADS", "")
    return min(cores, int(said)) if said.isdecimal() else cores


def is_busy(threads: int, load: Path = LOAD) -> bool:
    """Whether other processes leave fewer cores idle than this one has threads.

    The kernel's mean over a minute would count a command that has just ended, so the moment is looked at a few times.

    Args:
        threads: Those of this process.
        load: The file of Linux's kernel whose fourth word is "running/all" threads. Other systems never count as busy.
    """
    running = 0
    try:
        for _ in range(LOOKS):
            running += int(load.read_text().split()[3].split("/")[0]) - 1  # without this one
            time.sleep(BETWEEN)
    except (OSError, ValueError, IndexError):
        return False
    return running / LOOKS > (os.cpu_count() or 1) - threads + 0.5
