"""Costs and theoretical receptive field of each block, measured before any training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import torch

from foveate.datasets.loading.workers import workers_ended
from foveate.pipeline.comparison.entries import Entry
from foveate.pipeline.comparison.study import CellCLI, Study
from foveate.pipeline.measuring.costs import added_memory, count_macs, count_parameters, in_fresh_process
from foveate.pipeline.measuring.receptive_field import theoretical_reach
from foveate.pipeline.measuring.timing import Times, Work, time_in_turn
from foveate.pipeline.measuring.training_step import Clipping, Context, create_step
from foveate.pipeline.task import VisionTask
from foveate.plugins.manager import installed_plugins

# Version of the measuring method; results of an older one are measured again. 1 did not count attention; 2 took the
# receptive field of weights that had been trained for as many steps as were timed.
METHOD = 3


@dataclass(frozen=True)
class Measures:
    """Measurements of one block, on the recipe's training batches.

    Attributes:
        parameters: Number of trainable parameters of the network.
        macs: Multiply-adds for one image.
        forward: Time of one batch in evaluation, in the recipe's precision.
        step: Time of one training step: the recipe's loss, optimiser, precision and gradient clipping.
        memory: Peak memory in bytes of training steps, without the network; None where it cannot be measured.
        reach: Theoretical receptive field of the encoder in pixels; None if it is `limit` or more.
        limit: Largest receptive field that was measured, in pixels; 0 if it was skipped.
    """

    parameters: int
    macs: int
    forward: Times
    step: Times
    memory: int | None
    reach: int | None
    limit: int

    def as_values(self) -> dict[str, Any]:
        """The measurements as JSON values."""
        return {**asdict(self), "method": METHOD}

    @staticmethod
    def from_values(values: Mapping[str, Any]) -> Measures:
        """The measurements from the values of `as_values`."""
        figures = {key: value for key, value in values.items() if key != "method"}
        return Measures(**{**figures, "forward": _times(values["forward"]), "step": _times(values["step"])})


def _times(values: Mapping[str, Any]) -> Times:
    return Times(values["median"], tuple(values["quartiles"]), values["ratio"], tuple(values["ratio_quartiles"]))


def are_current(values: Mapping[str, Any], limit: int) -> bool:
    """Whether stored measurements are of the current method, and of this limit of the receptive field."""
    return values.get("method") == METHOD and values.get("limit") == limit


@dataclass(frozen=True)
class Candidate:
    """A block whose network was built and completed a training step.

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
        """The context of its forward pass, with the recipe's precision."""
        context: Context = self.cli.trainer.precision_plugin.forward_context
        return context

    def step(self) -> Work:
        """A training step on the recipe's device and in its precision."""
        trainer = self.cli.trainer
        clipping = Clipping(trainer.gradient_clip_val, str(trainer.gradient_clip_algorithm or "norm"))
        return create_step(self.task, self.batch, self.context, clipping)

    def forward(self) -> Work:
        """The forward pass of one batch in evaluation mode."""
        task = self.task
        pixels = task.normalise(self.batch["image"].to(task.device))

        def work() -> None:
            task.network.eval()
            with torch.no_grad(), self.context():
                task.network(pixels)

        return work


def try_out(study: Study, entry: Entry) -> Candidate:
    """Build a block's network and run one training step, to check that the block works.

    Any exception of the construction or the step is passed on to the caller.

    Args:
        study: The settings that all blocks share.
        entry: The block.
    """
    cli = study.build(entry, seed=0)
    cli.trainer.precision_plugin.convert_module(cli.model)
    cli.model.to(cli.trainer.strategy.root_device)
    with workers_ended():
        batch = next(iter(cli.datamodule.train_dataloader()))
    candidate = Candidate(entry, cli, batch)
    candidate.step()()
    return candidate


def measure(study: Study, candidates: Sequence[Candidate], *, rounds: int, limit: int) -> dict[str, Measures]:
    """Measure all blocks in turn, on the training batch of the first one.

    Args:
        study: The settings that all blocks share.
        candidates: The blocks; the first one is the baseline.
        rounds: Number of timed runs of each block.
        limit: Largest receptive field that is measured, in pixels; 0 skips it.
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
            reach=initial_reach(study, one.entry, limit) if limit else None,
            limit=limit,
        )
    return measures


def initial_reach(study: Study, entry: Entry, limit: int) -> int | None:
    """Theoretical receptive field in pixels of a block's encoder with its initial weights; None: `limit` or more.

    Where a block samples at positions that it computes, weights decide how far it reaches; those of a network that
    took steps depend on the number of steps and on the machine.

    Args:
        study: The settings that all blocks share.
        entry: The block.
        limit: Largest receptive field that is measured, in pixels.
    """
    return theoretical_reach(study.build(entry, seed=0).model.network.encoder, limit)


def measure_memory(study: Study, entry: Entry, threads: int) -> int:
    """Peak memory in bytes of two training steps; to be run in a process that does nothing else.

    Args:
        study: The settings that all blocks share.
        entry: The block.
        threads: Number of processor threads.
    """
    torch.set_num_threads(threads)
    if study.modules:
        installed_plugins(study.modules)
    cli = study.build(entry, seed=0)
    cli.trainer.precision_plugin.convert_module(cli.model)
    cli.model.to(cli.trainer.strategy.root_device)
    work = Candidate(entry, cli, next(iter(cli.datamodule.train_dataloader()))).step()
    return added_memory(lambda: (work(), work()))
