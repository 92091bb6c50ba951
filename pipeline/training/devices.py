"""Devices, nodes and the strategy of a trainer, as the launcher and the machine allow them."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Any

import torch

from foveate.pipeline.errors import ConfigError
from foveate.pipeline.processes.launchers import started_by
from foveate.pipeline.processes.sharded_strategy import NAME, ShardedStrategy
from foveate.pipeline.runs.directories import global_rank

STOCK = "lightning.pytorch.strategies.ModelParallelStrategy"
OWN = f"{ShardedStrategy.__module__}.{ShardedStrategy.__qualname__}"
CHOSEN = (None, "auto", -1, "-1")  # values that leave the number to us


def adapt_to_launcher(trainer: Any, environment: Mapping[str, str] | None = None) -> None:
    """Take the number of processes and of nodes from torchrun or SLURM, which have started the processes already.

    Args:
        trainer: Settings of the trainer, changed in place.
        environment: The environment variables; those of this process if not given.

    Raises:
        ConfigError: The settings ask for other numbers.
    """
    launcher, devices, nodes = started_by(os.environ if environment is None else environment)
    if devices is None:
        return
    for name, started in (("devices", devices), ("num_nodes", nodes)):
        asked = getattr(trainer, name)
        asked = len(asked) if isinstance(asked, list) else asked
        left = (*CHOSEN, 1) if name == "num_nodes" else CHOSEN
        if asked not in left and int(asked) != started:
            raise ConfigError(
                f"--trainer.{name} {asked}: {launcher} started {started}; leave out --trainer.{name}, or start as many"
            )
        if asked in left:
            setattr(trainer, name, started)


def settle_sharding(trainer: Any, *, trains: bool) -> None:
    """Replace the strategy fsdp2 where there is nothing to spread: in one process, and where nothing is trained.

    Args:
        trainer: Settings of the trainer, changed in place.
        trains: Whether a network is trained.

    Raises:
        ConfigError: Lightning's own ModelParallelStrategy is asked for.
    """
    strategy = trainer.strategy
    named = strategy if isinstance(strategy, str) else getattr(strategy, "class_path", "")
    if named.rpartition(".")[2] == STOCK.rpartition(".")[2]:
        raise ConfigError(f"--trainer.strategy {STOCK} does not know how to spread our networks: give {NAME} instead")
    if named not in (NAME, OWN):
        return
    if trains and count_processes(trainer) == 1 and global_rank() == 0:
        print(
            f"foveate: one process holds the whole network: {NAME} has nothing to spread", file=sys.stderr, flush=True
        )
    if not trains or count_processes(trainer) == 1:
        trainer.strategy = "auto"


def count_processes(trainer: Any) -> int:
    """How many processes are asked for.

    Args:
        trainer: Settings of the trainer.
    """
    devices, nodes = trainer.devices, int(getattr(trainer, "num_nodes", None) or 1)
    if isinstance(devices, list):
        return len(devices) * nodes
    on_cpu = getattr(trainer, "accelerator", "auto") == "cpu" or not torch.cuda.is_available()
    if devices in CHOSEN:
        return nodes * (1 if on_cpu else torch.cuda.device_count())
    text = str(devices)
    return nodes * (int(text) if text.isdigit() else len(text.split(",")))
