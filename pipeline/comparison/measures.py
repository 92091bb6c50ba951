"""What each block costs and how far it sees, before any training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from foveate.pipeline.comparison.entries import Entry
from foveate.pipeline.comparison.study import Study
from foveate.pipeline.measuring.costs import added_memory, count_macs, count_parameters, in_fresh_process
from foveate.pipeline.measuring.receptive_field import theoretical_reach
from foveate.pipeline.measuring.timing import Times, Work, time_in_turn
from foveate.pipeline.task import VisionTask
from foveate.plugins.manager import installed_plugins


@dataclass(frozen=True)
class Measures:
    """Of one block, on the recipe's training batches.

    Attributes:
        parameters: Trained values of the network.
        macs: Multiply-adds for one image.
        forward: Time of one batch in evaluation.
        step: Time of one training step.
        memory: Bytes that training steps take at their peak beyond the network; None where it could not be told.
        reach: Theoretical receptive field of the encoder in pixels; None: `limit` or more.
        limit: How far it was followed; 0: not at all.
    """

    parameters: int
    macs: int
    forward: Times
    step: Times
    memory: int | None
    reach: int | None
    limit: int

    def as_values(self) -> dict[str, Any]:
        """As JSON holds it."""
        return asdict(self)

    @staticmethod
    def from_values(values: Mapping[str, Any]) -> Measures:
        """The way back."""
        times = {
            name: Times(**{**values[name], "spread": tuple(values[name]["spread"])}) for name in ("forward", "step")
        }
        return Measures(**{**values, **times})


def measure(study: Study, entries: Sequence[Entry], *, rounds: int, limit: int) -> dict[str, Measures]:
    """Measure blocks side by side; those that cannot be built or run are not among the answers."""
    built = {entry.label: study.build(entry, seed=0) for entry in entries}
    tasks = {label: cli.model for label, cli in built.items()}
    batch: Any = next(iter(built[entries[0].label].datamodule.train_dataloader()))
    study = study.spelled_out(built[entries[0].label])
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    images, labels = batch["image"].to(device), batch.get("mask", batch.get("label")).to(device)
    for task in tasks.values():
        task.to(device)
    forward = time_in_turn({label: _forward(task, images) for label, task in tasks.items()}, rounds=rounds)
    step = time_in_turn({label: _step(task, images, labels) for label, task in tasks.items()}, rounds=rounds)
    return {
        entry.label: Measures(
            parameters=count_parameters(tasks[entry.label].network),
            macs=count_macs(tasks[entry.label].network, tasks[entry.label].normalise(images)),
            forward=forward[entry.label],
            step=step[entry.label],
            memory=in_fresh_process(measure_memory, study, entry, torch.get_num_threads()),
            reach=theoretical_reach(tasks[entry.label].network.encoder, limit) if limit else None,
            limit=limit,
        )
        for entry in entries
    }


def try_out(study: Study, entry: Entry) -> None:
    """One training step, to see whether a block works at all; whatever it raises is the caller's."""
    cli = study.build(entry, seed=0)
    task = cli.model
    batch: Any = next(iter(cli.datamodule.train_dataloader()))
    _step(task, batch["image"], batch.get("mask", batch.get("label")))()


def measure_memory(study: Study, entry: Entry, threads: int) -> int:
    """Bytes that two training steps add to this process, which should do nothing else."""
    torch.set_num_threads(threads)
    if study.modules:
        installed_plugins(study.modules)
    cli = study.build(entry, seed=0)
    batch: Any = next(iter(cli.datamodule.train_dataloader()))
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    task = cli.model.to(device)
    work = _step(task, batch["image"].to(device), batch.get("mask", batch.get("label")).to(device))
    return added_memory(lambda: (work(), work()))


def _forward(task: VisionTask, images: Tensor) -> Work:
    pixels = task.normalise(images)

    def work() -> None:
        task.network.eval()
        with torch.no_grad():
            task.network(pixels)

    return work


def _step(task: VisionTask, images: Tensor, labels: Tensor) -> Work:
    optimizer = torch.optim.AdamW(task.network.parameters(), lr=0.0, fused=True)  # a step costs the same at any rate

    def work() -> None:
        task.network.train()
        optimizer.zero_grad()
        task.loss(task.network(task.normalise(images)), labels).backward()
        optimizer.step()

    return work
