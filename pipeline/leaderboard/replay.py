"""Replays a record: takes its first steps again, and compares data, costs and losses, without any checkpoint."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import lightning.pytorch as L
import numpy as np
from torch import Tensor

from foveate.datasets.loading.workers import workers_ended
from foveate.pipeline.comparison.entries import Entry
from foveate.pipeline.comparison.measures import try_out
from foveate.pipeline.comparison.result import train_cell
from foveate.pipeline.comparison.study import CellCLI, Study
from foveate.pipeline.errors import CheckpointError, FoveateError, UnusableDataError
from foveate.pipeline.leaderboard.costs import fixed_costs
from foveate.pipeline.leaderboard.figures import figures_of
from foveate.pipeline.leaderboard.fit import KEPT, Watch, describe_data, describe_environment, is_same_machine
from foveate.pipeline.leaderboard.protocol import Protocol, Track
from foveate.pipeline.leaderboard.record import Record
from foveate.pipeline.leaderboard.sources import hashes
from foveate.pipeline.metrics.confusion import count_confusion
from foveate.pipeline.runs.circumstances import differences
from foveate.pipeline.text import few
from foveate.plugins.errors import PluginError


class Enough(Exception):
    """As many steps were taken as asked for."""


@dataclass
class FirstSteps(Watch):
    """Take some steps and end.

    Attributes:
        steps: How many.
    """

    steps: int = field(default=1)

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: object, batch: object, batch_idx: int
    ) -> None:
        """Record the loss.

        Raises:
            Enough: It was the last step.
        """
        super().on_train_batch_end(trainer, pl_module, outputs, batch, batch_idx)
        if len(self.values) >= self.steps:
            raise Enough


@dataclass(frozen=True)
class Replay:
    """What came out when steps were taken again.

    Attributes:
        losses: Of the steps.
        batches: Hashes of their batches.
        score: The score of the whole training; None if it was not repeated to its end.
        exact: Whether this machine computes the same bits as that of the record.
        changed: What differs between code and environment there and here.
    """

    losses: list[float]
    batches: list[str]
    score: float | None
    exact: bool
    changed: Mapping[str, tuple[Any, Any]]


def replay(record: Record, protocol: Protocol, study: Study, steps: int) -> list[str]:
    """Take the first steps of a record again.

    Args:
        record: The record, consistent in itself.
        protocol: The protocol.
        study: The settings of its track.
        steps: How many; as many as the training has, or more, repeat it with its validation.

    Returns:
        Lines about what was compared.

    Raises:
        FoveateError: Something differs; the class, and so the exit code, says what.
    """
    track = protocol.tracks[record.track]
    entry = Entry(record.block, record.content["block"]["spec"], track.slot)
    _compare_data(record, study.build(entry, record.seed))
    _compare_costs(record, study, entry)
    cli = study.build(entry, record.seed)  # again, since what came before has drawn random numbers
    found = _take(record, track, cli, min(steps, track.steps))
    return [*_compare_losses(record, protocol, found), *_compare_score(record, protocol, found)]


def _compare_data(record: Record, cli: CellCLI) -> None:
    """Compare the files' names and sizes, and the labels of val.

    Raises:
        UnusableDataError: They differ.
    """
    ours, theirs = describe_data(cli.datamodule)["sha256"], record.content["data"]["sha256"]
    if ours != theirs:
        raise UnusableDataError(f"{record.source}: refused: its data ({theirs:.12}) are not those here ({ours:.12})")
    count = len(record.content["result"]["classes"])
    labelled = record.counts[:, count : 2 * count]
    if not np.array_equal(labelled, _count_labels(cli.datamodule, count)):
        raise UnusableDataError(f"{record.source}: refused: its counts are not those of val's labels here")


def _count_labels(data: Any, count: int) -> Any:
    """Labelled pixels, or images, of each class in each image of val (images, K)."""
    rows = []
    with workers_ended():
        for batch in data.val_dataloader():
            for label in batch["mask"] if "mask" in batch else batch["label"]:
                flat: Tensor = label.reshape(-1)
                rows.append(count_confusion(flat.clamp(max=count - 1), flat, count).sum(1).numpy())
    return np.stack(rows)


def _compare_costs(record: Record, study: Study, entry: Entry) -> None:
    """Compare the costs that are the same on every machine.

    Raises:
        CheckpointError: One differs.
    """
    for name, value in fixed_costs(study, try_out(study, entry)).items():
        if record.content["costs"][name] != value:
            said = record.content["costs"][name]
            raise CheckpointError(f"{record.source}: refused: {name} is {said!r} there and {value!r} here")


def _take(record: Record, track: Track, cli: CellCLI, steps: int) -> Replay:
    environment, code = describe_environment(cli), hashes(record.content["block"]["spec"])
    before = {"code": record.content["code"], **record.content["environment"]}
    changed = differences(before, {"code": code, **environment})
    exact = is_same_machine(record.content["environment"], environment) and code == record.content["code"]
    watch, score = FirstSteps(steps=steps + (steps >= track.steps)), None  # one more is never taken
    if steps >= track.steps:
        cell = train_cell(cli, watch)
        names = list(record.content["result"]["classes"])
        score = float(figures_of(cell.counts, track.score, names)["score"])
    else:
        cli.trainer.callbacks.append(watch)  # type: ignore[attr-defined]
        with suppress(Enough), warnings.catch_warnings(), workers_ended():
            cli.trainer.fit(cli.model, cli.datamodule)
    return Replay(watch.values[:KEPT], watch.batches, score, exact, changed)


def _compare_losses(record: Record, protocol: Protocol, found: Replay) -> list[str]:
    """Compare the losses: of the protocol's first steps within its bound; on the same machine all kept ones exactly.

    Those of a block whose code has changed must be equal bit for bit: a bound would let another block pass.

    Raises:
        FoveateError: One differs.
    """
    theirs = record.content["training"]
    bound = 0.0 if found.exact or "code.block" in found.changed else protocol.loss_bound
    count = len(found.losses) if found.exact else min(protocol.replayed, len(found.losses))
    pairs = list(zip(record.losses, found.losses, strict=False))[:count]
    for step, (before, now) in enumerate(pairs, start=1):
        if not math.isclose(before, now, rel_tol=bound):
            images = theirs["batches"][step - 1] != found.batches[step - 1]
            what = f"the loss of step {step} was {before!r} and is {now!r}, which is not within {bound:g}"
            raise _explain(f"{record.source}: refused: {what}", images, found.changed)
    largest = max((abs(now - before) / abs(before) for before, now in pairs if before), default=0.0)
    how = "equal bit for bit" if largest == 0 else f"equal within {largest:.1e} (the bound is {bound:g})"
    effect = " without effect" if largest == 0 else ""
    also = f"; changed{effect}: {_tell(found.changed)}" if found.changed else ""
    return [f"losses of {len(pairs)} steps: {how}{also}"]


def _compare_score(record: Record, protocol: Protocol, found: Replay) -> list[str]:
    """Compare the score, if the whole training was repeated.

    Raises:
        CheckpointError: It differs.
    """
    if found.score is None:
        return ["score: follows from the counts in the record; --steps all repeats the training that gave them"]
    bound = 0.0 if found.exact else protocol.score_bound
    said = f"{100 * record.score:.2f} there and {100 * found.score:.2f} here"
    if abs(record.score - found.score) > bound:
        raise CheckpointError(f"{record.source}: refused: the score is {said}, which is not within {100 * bound:g}")
    return [f"score: {said} (the bound is {100 * bound:g} points)"]


def _explain(text: str, images: bool, changed: Mapping[str, tuple[Any, Any]]) -> FoveateError | PluginError:
    """The error of a step that differs; what has changed decides its class."""
    if "code.block" in changed:
        return PluginError(f"{text}; the block's code is another one")
    if images:
        return UnusableDataError(f"{text}; the images of that step are others")
    return CheckpointError(f"{text}; changed: {_tell(changed)}" if changed else text)


def _tell(changed: Mapping[str, tuple[Any, Any]]) -> str:
    return few((f"{name} ({before!s:.40} -> {now!s:.40})" for name, (before, now) in changed.items()), 4)
