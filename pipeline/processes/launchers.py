"""Launchers that start all processes of a training from outside: torchrun, srun, and those that set the same variables.

Lightning starts the other processes itself otherwise, when the first one has chosen the run directory: they inherit its
environment. From outside, all start at once, and learn what the first one chose through a store in its memory, which
torch's process group uses later too.
"""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from foveate.pipeline.errors import MachineError
from foveate.pipeline.runs.directories import RUN_DIR_VARIABLE, global_rank, hand_on

if TYPE_CHECKING:
    from torch._C._distributed_c10d import Store

AGENT_STORE = "TORCHELASTIC_USE_AGENT_STORE"  # whether torchrun itself holds the data of the processes' store
ERROR_FILE = "TORCHELASTIC_ERROR_FILE"  # torchrun shows the message that a process writes there
WAIT = 1800.0  # seconds for the first process to look at the data
LOOK = 0.1
OWN = ("NODE_RANK", "LOCAL_RANK", RUN_DIR_VARIABLE)  # what a process has that Lightning's launcher started
_stores: list[Store] = []


def started_by(environment: Mapping[str, str]) -> tuple[str, int | None, int]:
    """Who started this process from outside, how many processes on each node, and how many nodes; None for nobody.

    Args:
        environment: The environment variables.

    Example:
        >>> started_by({"TORCHELASTIC_RUN_ID": "none", "LOCAL_WORLD_SIZE": "4", "WORLD_SIZE": "8"})
        ('torchrun', 4, 2)
        >>> started_by({"SLURM_NTASKS": "8", "SLURM_NTASKS_PER_NODE": "4", "SLURM_NNODES": "2", "SLURM_PROCID": "0"})
        ('srun', 4, 2)
        >>> started_by({})
        ('', None, 1)
    """
    if "TORCHELASTIC_RUN_ID" in environment:
        local = int(environment.get("LOCAL_WORLD_SIZE") or 1)
        return "torchrun", local, max(1, int(environment.get("WORLD_SIZE") or local) // local)
    interactive = environment.get("SLURM_JOB_NAME") in ("bash", "interactive")  # as Lightning has it
    if "SLURM_PROCID" in environment and not interactive and int(environment.get("SLURM_NTASKS") or 1) > 1:
        nodes, told = int(environment.get("SLURM_NNODES") or 1), environment.get("SLURM_NTASKS_PER_NODE") or ""
        return "srun", int(told) if told.isdigit() else int(environment["SLURM_NTASKS"]) // nodes, nodes
    return "", None, 1


def is_from_outside(environment: Mapping[str, str] | None = None) -> bool:
    """Whether a launcher outside has started this process among others.

    Args:
        environment: The environment variables; those of this process if not given.

    Example:
        >>> is_from_outside({"RANK": "1", "WORLD_SIZE": "2", "MASTER_ADDR": "first-pod"})
        True
    """
    environment = os.environ if environment is None else environment
    if started_by(environment)[1] is not None:
        return "TORCHELASTIC_RUN_ID" in environment or not all(name in environment for name in OWN)
    return "RANK" in environment and int(environment.get("WORLD_SIZE") or 1) > 1


def agree_on(key: str, choose: Callable[[], str]) -> str:
    """What the first process chooses; the others wait for it. Without a launcher outside, each process chooses itself.

    Args:
        key: What is chosen.
        choose: Called where a choice is made.

    Raises:
        MachineError: The first process does not answer.
    """
    if not is_from_outside() or world_size() == 1:
        return choose()
    if global_rank() == 0:
        chosen = choose()
        _store().set(key, chosen)
        return chosen
    store, deadline = _store(), time.monotonic() + WAIT
    while not store.check([key]):
        if time.monotonic() > deadline:
            raise MachineError(f"the first process of the training did not answer in {WAIT:.0f} s")
        time.sleep(LOOK)  # a wait inside the store could not be ended by a signal
    return store.get(key).decode()


def agree_on_run(choose: Callable[[], Path]) -> Path:
    """The run directory that the first process chooses.

    Args:
        choose: Called where a choice is made.

    Raises:
        MachineError: The first process does not answer.
    """
    run = Path(agree_on("run", lambda: str(choose())))
    if is_from_outside():
        hand_on(run)
    return run


def meet_anew() -> None:
    """After torchrun has started a failed training again, let the processes meet at a port of their own.

    The store that torchrun keeps for the processes of one machine still holds the addresses of those that ended, and
    torch 2.14 takes them for those of the new ones: they would wait for each other for good.
    """
    restarts = int(os.environ.get("TORCHELASTIC_RESTART_COUNT") or 0)
    on_one_machine = os.environ.get("LOCAL_WORLD_SIZE") == os.environ.get("WORLD_SIZE")
    if not restarts or not on_one_machine or os.environ.get(AGENT_STORE) != "True":
        return
    port = agree_on("port", lambda: str(free_port()))
    os.environ.update({"MASTER_PORT": port, AGENT_STORE: "False"})


def free_port() -> int:
    """A port of this machine that nothing listens at."""
    with socket.socket() as free:
        free.bind(("", 0))
        return int(free.getsockname()[1])


def world_size() -> int:
    """How many processes a launcher outside has started."""
    given = os.environ.get("WORLD_SIZE") if "RANK" in os.environ else os.environ.get("SLURM_NTASKS")
    return int(given or 1)


def _store() -> Store:
    """The store of this training, connected once; it is kept, since the first process may hold the data."""
    if not _stores:
        from torch._C._distributed_c10d import PrefixStore, TCPStore  # torch.distributed offers both

        host, port = _meeting_point()
        agent = os.environ.get(AGENT_STORE) == "True"  # torchrun itself holds the data
        store = TCPStore(
            host,
            port,
            world_size(),
            is_master=global_rank() == 0 and not agent,
            timeout=timedelta(seconds=WAIT),
            wait_for_workers=False,
            multi_tenant=True,  # the process group will ask for the same port
        )
        attempt = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")
        _stores.append(PrefixStore(f"foveate-{attempt}", store))
    return _stores[0]


def _meeting_point() -> tuple[str, int]:
    """Address and port of the first process, as Lightning will use them."""
    if "MASTER_ADDR" in os.environ and "MASTER_PORT" in os.environ:
        return os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
    from lightning.fabric.plugins.environments.slurm import SLURMEnvironment

    slurm = SLURMEnvironment()
    return slurm.main_address, slurm.main_port


def tell_launcher(text: str, *, follows: bool = False) -> None:
    """Give torchrun the cause of a failure, which it shows in its own report.

    Args:
        text: In one line.
        follows: Another process failed before. It may be in the same second, and torchrun counts seconds.
    """
    path = os.environ.get(ERROR_FILE)
    if not path:
        return
    stamp = str(int(time.time()) + 2 * follows)
    content = {"message": {"message": text, "extraInfo": {"timestamp": stamp, "py_callstack": text}}}
    with suppress(OSError):
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_text(json.dumps(content), encoding="utf-8")
