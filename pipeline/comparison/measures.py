"""What each block costs and how far it sees, before any training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import torch

from foveate.pipeline.comparison.entries import Entry
from foveate.pipeline.comparison.study import CellCLI, Study
from foveate.pipeline.measuring.costs import added_memory, count_macs, count_parameters, in_fresh_process
from foveate.pipeline.measuring.receptive_field import theoretical_reach
from foveate.pipeline.measuring.timing import Times, Work, time_in_turn
from foveate.pipeline.measuring.training_step import Clipping, Context, create_step
from foveate.pipeline.task import VisionTask
from foveate.plugins.manager import installed_plugins

METHOD = 2  # of measuring; what was kept by an older one is measured again: 1 did not count attention


@dataclass(frozen=True)
class Measures:
    """Of one block, on the recipe's training batches.

    Attributes:
        parameters: Trained values of the network.
        macs: Multiply-adds for one image.
        forward: Time of one batch in evaluation, in the recipe's precision.
        step: Time of one training step: the recipe's loss, optimiser, precision and gradient clipping.
        memory: Bytes that training steps take at their peak beyond the network; None where the system does not tell it.
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
        return {**asdict(self), "method": METHOD}

    @staticmethod
    def from_values(values: Mapping[str, Any]) -> Measures:
        """From what `as_values` gave."""
        figures = {key: value for key, value in values.items() if key != "method"}
        return Measures(**{**figures, "forward": _times(values["forward"]), "step": _times(values["step"])})


def _times(values: Mapping[str, Any]) -> Times:
    return Times(values["median"], tuple(values["quartiles"]), values["ratio"], tuple(values["ratio_quartiles"]))


def are_current(values: Mapping[str, Any], limit: int) -> bool:
    """Whether kept figures were measured in today's way, and with this limit of the receptive field."""
    return values.get("method") == METHOD and values.get("limit") == limit


@dataclass(frozen=True)
class Candidate:
    """A block whose network was built, and took a training step.

    Attributes:
        entry: The block.
        cli: Its task, data and trainer.
        batch: The first training batch.
    """

    entry: Entry
    cli: CellCLI
    batch: Mapping[str, Any]

    @property
    def task(self) -> VisionTask:
        """The network with its loss and optimiser."""
        task: VisionTask = self.cli.model
        return task

    @property
    def context(self) -> Context:
        """What its forward pass runs in: the recipe's precision."""
        context: Context = self.cli.trainer.precision_plugin.forward_context
        return context

    def step(self) -> Work:
        """A training step, on the device and in the precision of the recipe."""
        trainer = self.cli.trainer
        clipping = Clipping(trainer.gradient_clip_val, str(trainer.gradient_clip_algorithm or "norm"))
        return create_step(self.task, self.batch, self.context, clipping)

    def forward(self) -> Work:
        """One batch in evaluation."""
        task = self.task
        pixels = task.normalise(self.batch["image"].to(task.device))

        def work() -> None:
            task.network.eval()
            with torch.no_grad(), self.context():
                task.network(pixels)

        return work


def try_out(study: Study, entry: Entry) -> Candidate:
    """Build a block's network and take one training step, to see whether it works at all.

    Whatever building or the step raises passes through: it is the caller's to report.

    Args:
        study: What is held the same.
        entry: The block.
    """
    cli = study.build(entry, seed=0)
    cli.trainer.precision_plugin.convert_module(cli.model)
    cli.model.to(cli.trainer.strategy.root_device)
    candidate = Candidate(entry, cli, next(iter(cli.datamodule.train_dataloader())))
    candidate.step()()
    return candidate


def measure(study: Study, candidates: Sequence[Candidate], *, rounds: int, limit: int) -> dict[str, Measures]:
    """Measure blocks side by side, on the first one's training batch.

    Args:
        study: What is held the same.
        candidates: The blocks; the first is what the others are compared with.
        rounds: How often each time is taken.
        limit: How far receptive fields are followed, in pixels; 0 leaves them out.
    """
    study = study.spelled_out(candidates[0].cli)
    alike = [replace(candidate, batch=candidates[0].batch) for candidate in candidates]
    forward = time_in_turn({one.entry.label: one.forward() for one in alike}, rounds=rounds, warm_up=2)
    step = time_in_turn({one.entry.label: one.step() for one in alike}, rounds=rounds, warm_up=2)
    measures = {}
    for one in alike:
        label, network = one.entry.label, one.task.network
        pixels = one.task.normalise(one.batch["image"].to(one.task.device))
        measures[label] = Measures(
            parameters=count_parameters(network),
            macs=count_macs(network, pixels),
            forward=forward[label],
            step=step[label],
            memory=in_fresh_process(measure_memory, study, one.entry, torch.get_num_threads()),
            reach=theoretical_reach(network.encoder, limit) if limit else None,  # type: ignore[arg-type]
            limit=limit,
        )
    return measures


def measure_memory(study: Study, entry: Entry, threads: int) -> int:
    """Bytes that two training steps add to this process, which should do nothing else.

    Args:
        study: What is held the same.
        entry: The block.
        threads: Processor threads.
    """
    torch.set_num_threads(threads)
    if study.modules:
        installed_plugins(study.modules)
    cli = study.build(entry, seed=0)
    cli.trainer.precision_plugin.convert_module(cli.model)
    cli.model.to(cli.trainer.strategy.root_device)
    work = Candidate(entry, cli, next(iter(cli.datamodule.train_dataloader()))).step()
    return added_memory(lambda: (work(), work()))
