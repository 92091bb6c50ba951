"""The processes that train together: what made one fail, and an end for those that survive.

A process that fails writes its reason into the run directory. The others see a broken connection, which says nothing
of the cause: they read the reason, end with it, and the first process prints it as its last line.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from foveate.pipeline.errors import MachineError
from foveate.pipeline.files import write_text
from foveate.pipeline.processes.launchers import is_from_outside, world_size
from foveate.pipeline.runs.directories import RUN_DIR_VARIABLE, global_rank

FOLDER = ".failures"  # in the run directory
WAIT = 3.0  # seconds for the reason of a failure to appear
GRACE = 10.0  # seconds that a process has to end by itself after another failed
LOOK = 0.5  # seconds between two looks at the others
LOST = (  # parts of what torch says when another process is gone
    "closed by peer",
    "reset by peer",
    "gloo",
    "nccl",
    "processgroup",
    "store->",
    "tcpstore",
    "broken pipe",
)
OWN_CODES = (2, 3, 4, 5, 6)  # exit codes that hold for the whole training, whichever process failed
LAUNCHER = "lightning.pytorch.strategies.launchers.subprocess_script"


@dataclass(frozen=True)
class Failure:
    """Why a process failed.

    Attributes:
        rank: Which process.
        host: Its machine.
        code: Its exit code.
        name: The code's name.
        cause: What it would print.
        time: When, in seconds since 1970.
    """

    rank: int
    host: str
    code: int
    name: str
    cause: str
    time: float


def is_one_of_several() -> bool:
    """Whether this process trains together with others.

    The launcher's environment variables alone do not tell: Lightning removes its own when a training ends.
    """
    started = int(os.environ.get("WORLD_SIZE") or 1) > 1 or (is_from_outside() and world_size() > 1)
    return bool(_children) or global_rank() > 0 or started


def is_lost_peer(error: BaseException) -> bool:
    """Whether an error only says that another process is gone, whichever part of a network it is said to come from.

    Args:
        error: What a collective operation raised, or what was raised from it.
    """
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, RuntimeError) and any(word in str(cause).lower() for word in LOST):
            return True
        cause = cause.__cause__
    return False


def report_failure(code: int, name: str, cause: str) -> None:
    """Tell the other processes why this one fails.

    Args:
        code: Its exit code.
        name: The code's name.
        cause: What it would print.
    """
    folder = _folder()
    if folder is None or not is_one_of_several():
        return
    failure = Failure(global_rank(), socket.gethostname(), code, name, cause, time.time())
    with suppress(OSError):  # the others then only know that this process is gone
        write_text(folder / f"rank-{failure.rank}.json", json.dumps(asdict(failure)))


def first_failure(wait: float = WAIT) -> Failure | None:
    """The earliest reason that another process gave; None if none did.

    Args:
        wait: Seconds to wait for one.
    """
    deadline = time.monotonic() + wait
    while True:
        failures = [failure for failure in read_failures() if failure.rank != global_rank()]
        if failures or time.monotonic() > deadline:
            return min(failures, key=lambda failure: failure.time, default=None)
        time.sleep(0.1)


def read_failures() -> list[Failure]:
    """The reasons that processes gave."""
    folder = _folder()
    found: list[Failure] = []
    for path in sorted(folder.glob("rank-*.json")) if folder is not None else []:
        try:
            found.append(Failure(**json.loads(path.read_text(encoding="utf-8"))))
        except (OSError, ValueError, TypeError):
            continue
    return found


def forget_failures(run: Path) -> None:
    """Remove the reasons of an earlier training in a run directory.

    Args:
        run: The run directory.
    """
    for path in (run / FOLDER).glob("rank-*.json"):
        path.unlink(missing_ok=True)


def explain_loss(error: BaseException) -> tuple[int, str, str]:
    """Exit code, its name, and what to say where another process of the training is gone.

    Args:
        error: What the collective operation of this process raised.
    """
    failure = first_failure()
    if failure is None:
        return MachineError.exit_code, MachineError.code_name, f"another process was lost: {_which_is_gone(error)}"
    code = failure.code if failure.code in OWN_CODES else MachineError.exit_code
    name = failure.name if failure.code in OWN_CODES else MachineError.code_name
    return code, name, f"process {failure.rank} on {failure.host} failed: {failure.cause}"


_PARENT = os.getppid()
_children: list[subprocess.Popen[bytes]] = []


def _which_is_gone(error: BaseException) -> str:
    for rank, child in enumerate(_children, start=1):
        code = child.poll()
        if code is not None and code != 0:
            return f"process {rank} {_ending(code)}"
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines or [type(error).__name__])[0][:300]


def _ending(code: int) -> str:
    return f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"


def watch_children() -> None:
    """Have Lightning's launcher give us the processes that it starts, in place of its own watcher.

    Its own kills this process with SIGKILL as soon as another ended with an error: then nobody says why.
    """
    module = sys.modules.get(LAUNCHER) or __import__(LAUNCHER, fromlist=["_"])
    module._launch_process_observer = _watch  # type: ignore[attr-defined]


def _watch(children: Sequence[subprocess.Popen[bytes]]) -> None:
    _children[:] = children
    threading.Thread(target=_end_with_children, daemon=True, name="foveate-children").start()


def _end_with_children() -> None:
    """End this process where another failed and this one waits for it for good."""
    while all(child.poll() is None for child in _children):
        time.sleep(LOOK)
    codes = [child.poll() for child in _children]
    if any(code not in (None, 0, 129, 130, 143) for code in codes):
        time.sleep(GRACE)
        code, name, cause = explain_loss(RuntimeError("it does not answer"))
        _leave(code, name, cause)


def speaks() -> bool:
    """Whether this process prints why the training failed: the first one, or any if that is gone."""
    return global_rank() == 0 or is_from_outside() or os.getppid() != _PARENT


def watch_parent() -> None:
    """End this process soon after the one that started it, unless a launcher outside did."""
    if global_rank() == 0 or is_from_outside():
        return

    def look() -> None:
        while os.getppid() == _PARENT:
            time.sleep(LOOK)
        time.sleep(GRACE)
        _leave(MachineError.exit_code, MachineError.code_name, "the first process of the training was lost")

    threading.Thread(target=look, daemon=True, name="foveate-parent").start()


def end_children() -> None:
    """Wait shortly for the processes that this one started, then kill them."""
    deadline = time.monotonic() + WAIT
    for child in _children:
        try:
            child.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def _leave(code: int, name: str, cause: str) -> None:
    for child in _children:
        child.kill()
    print(f"foveate: ERROR {name}: {cause}", file=sys.stderr, flush=True)
    os._exit(code)


def _folder() -> Path | None:
    run = os.environ.get(RUN_DIR_VARIABLE)
    return Path(run) / FOLDER if run else None
