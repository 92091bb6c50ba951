"""Verifies a training: takes some of its steps again, from its checkpoints, and compares every number."""

from __future__ import annotations

import math
import random
import warnings
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import lightning.pytorch as L
from lightning.pytorch.callbacks import Callback

from foveate.pipeline.callbacks.exact_resume import ExactResume
from foveate.pipeline.callbacks.finite_guard import FiniteGuard
from foveate.pipeline.callbacks.tracer import Tracer
from foveate.pipeline.errors import CheckpointError, ConfigError, FoveateError, UnusableDataError
from foveate.pipeline.runs.checkpoints import read_checkpoint
from foveate.pipeline.runs.circumstances import HARDWARE, Circumstances, differences, read_parts
from foveate.pipeline.runs.directories import CHECKPOINTS, RECIPE
from foveate.pipeline.runs.recipes import PLUGINS, accept, load_yaml
from foveate.pipeline.runs.remembered import trusted_modules
from foveate.pipeline.runs.store import BEST, LAST, PREVIOUS, step_of
from foveate.pipeline.runs.trace import Row, files_that_differ, read_trace
from foveate.pipeline.text import few
from foveate.pipeline.training.lightning_cli import FoveateCLI
from foveate.pipeline.training.request import Request, understand
from foveate.plugins.errors import PluginError

BOUND = 1e-2  # relative, of losses and norms on another kind of machine
Rows = Mapping[tuple[int, int], Row]


class Enough(Exception):
    """As many steps were taken again as asked for."""


@dataclass(frozen=True)
class Mismatch:
    """A step that does not give what it gave in the training.

    Attributes:
        row: What the training wrote.
        what: loss, gradient, weights, or images.
        now: What came out now.
    """

    row: Row
    what: str
    now: Row

    def __str__(self) -> str:
        if self.what == "images":
            return f"step {self.row.step}: {few(files_that_differ(self.row.images, self.now.images))} differ"
        before, now = (float.fromhex(getattr(row, self.what)) for row in (self.row, self.now))
        return f"step {self.row.step}: the {NAMES[self.what]} was {before!r} and is {now!r}"


NAMES = {"loss": "loss", "gradient": "norm of the gradients", "weights": "norm of the weights"}


class Comparer(Tracer):
    """Compare each batch with the trace of a training, and end after some steps.

    Args:
        guard: Knows the norm of the gradients.
        rows: The trace.
        steps: How many optimiser steps are compared.

    Attributes:
        bound: Relative difference that is allowed; 0 compares bit for bit.
        done: Steps that were compared.
        mismatch: The first one that differs.
    """

    def __init__(self, guard: FiniteGuard, rows: Rows, steps: int) -> None:
        super().__init__(guard.run, guard)
        self.rows = rows
        self.end = max(row.step for row in rows.values())
        self.steps = steps
        self.bound = 0.0
        self.done = 0
        self.mismatch: Mismatch | None = None

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Store the first step; the trace of the run stays as it is."""
        self._step = trainer.global_step

    def on_exception(self, trainer: L.Trainer, pl_module: L.LightningModule, exception: BaseException) -> None:
        """Do nothing: there is nothing more to compare."""

    def take(self, row: Row) -> None:
        """Compare a row.

        Args:
            row: Of a batch that was taken again.

        Raises:
            Enough: It differs, or it is the last one.
        """
        if row.step > self.end:
            raise Enough
        before = self.rows.get((row.epoch, row.batch))
        if before is None:  # lost with a kill, or on a full disk
            return
        for what in ("images", *NAMES):
            if not self._equal(getattr(before, what), getattr(row, what), what):
                self.mismatch = Mismatch(before, what, row)
                raise Enough
        self.done += bool(row.weights)
        if self.done >= self.steps:
            raise Enough

    def _equal(self, before: str, now: str, what: str) -> bool:
        if before == now or not self.bound or what == "images" or not before or not now:
            return before == now
        return math.isclose(float.fromhex(before), float.fromhex(now), rel_tol=self.bound)


class ReplayCLI(FoveateCLI):
    """Builds task, data and trainer of a training as `fit` does, but no run directory; a comparer watches it.

    Args:
        request: The command line, taken apart.
        checkpoint: Where to begin; empty at the start of the training.
        rows: The trace.
        steps: How many steps are compared.
    """

    def __init__(self, request: Request, checkpoint: Mapping[str, Any], rows: Rows, *, steps: int) -> None:
        self.resume = ExactResume()
        guard = FiniteGuard(Path(), self.resume, {}, skip=10**9)
        self.comparer = Comparer(guard, rows, steps)
        self.guard = guard
        super().__init__(request, checkpoint)

    def choose_directory(self) -> None:
        """Read data and weights; no directory is made."""
        self.datamodule.setup("fit")
        if self.request.checkpoint is None:
            self.model.load_initial_weights()
            self.model.take_statistics(self.datamodule)
        self.model.weigh_classes(self.datamodule)

    def own_callbacks(self, settings: Any) -> list[Callback]:
        """What takes part in a step, and the comparer."""
        self.resume.seed = getattr(self.datamodule, "seed", None)
        return [self.resume, self.guard, self.comparer]


@dataclass(frozen=True)
class Anchor:
    """Where steps can be taken again from.

    Attributes:
        step: Optimiser steps of the training before it.
        file: The checkpoint; None at the start of the training.
    """

    step: int
    file: Path | None

    def __str__(self) -> str:
        return "the start" if self.file is None else f"{self.file.name} (step {self.step})"


@dataclass(frozen=True)
class Compared:
    """Steps that were taken again and are equal.

    Attributes:
        steps: How many.
        start: Where they begin, in words.
        bound: Relative difference that was allowed; 0 where they were compared bit for bit.
        changed: What has changed since the training, without effect.
    """

    steps: int
    start: str
    bound: float
    changed: Mapping[str, tuple[Any, Any]]

    def __str__(self) -> str:
        kind = f"within {self.bound:g}, since the processor is another one" if self.bound else "bit for bit"
        also = f"; changed without effect: {_tell(self.changed)}" if self.changed else ""
        return f"{self.steps} steps from {self.start}: equal {kind}{also}"

    def as_values(self) -> dict[str, Any]:
        """What JSON can hold."""
        changed = {name: [str(value) for value in values] for name, values in self.changed.items()}
        return {"steps": self.steps, "from": self.start, "bound": self.bound, "changed": changed}


def verify(run: Path, steps: int, seed: int | None = None) -> list[Compared]:
    """Take steps of a training again.

    Args:
        run: The run directory.
        steps: How many, at most.
        seed: Decides which; different ones each time if not given.

    Returns:
        The places where steps were taken again.

    Raises:
        FoveateError: A step differs; the class, and so the exit code, says what has changed.
    """
    rows = read_trace(run)
    parts = read_parts(run)
    if not rows or not parts:
        raise CheckpointError(f"{run}: has no {'trace.csv' if parts else 'run.json'}: trained by an earlier version")
    found = find_anchors(run, max(row.step for row in rows.values()))
    anchors = [anchor for anchor in found if int(parts[part_of(parts, anchor.step)].get("processes", 1)) == 1]
    if not anchors:
        raise ConfigError(f"{run}: was trained by several processes; one process cannot repeat that")
    random.Random(seed).shuffle(anchors)
    if changed_recipe(run, parts):  # a checkpoint keeps the seed of its training: only the start shows another one
        anchors.sort(key=lambda anchor: anchor.step)
    places: list[Compared] = []
    left = steps
    for number, anchor in enumerate(anchors):
        share = math.ceil(left / (len(anchors) - number))
        compared = _replay(run, anchor, rows, parts, share)
        if compared.steps:
            places.append(compared)
        left -= compared.steps
        if left <= 0:
            break
    if left == steps:
        raise CheckpointError(f"{run}: no step could be compared: the trace and the checkpoints do not meet")
    return places


def changed_recipe(run: Path, parts: Sequence[Circumstances]) -> dict[str, tuple[Any, Any]]:
    """What differs between the recipe of a run's last part and its recipe.yaml.

    Args:
        run: The run directory.
        parts: The parts, in order.
    """
    return differences({"recipe": parts[-1]["recipe"]}, {"recipe": load_yaml(run / RECIPE)})


def part_of(parts: Sequence[Circumstances], step: int) -> int:
    """Number of the part of a training that takes the step after a given one.

    Args:
        parts: The parts, in order.
        step: Optimiser steps before.
    """
    return max(number for number, part in enumerate(parts) if int(part.get("first_step", 0)) <= step)


def find_anchors(run: Path, end: int) -> list[Anchor]:
    """The start of a training, and its checkpoints that have steps after them.

    Args:
        run: The run directory.
        end: The last step in the trace.
    """
    found = [Anchor(0, None)]
    for name in (PREVIOUS, BEST, LAST):
        file = run / CHECKPOINTS / name
        step = step_of(file) if file.is_file() else None
        if step is not None and 0 < step < end and all(step != anchor.step for anchor in found):
            found.append(Anchor(step, file))
    return found


def _replay(run: Path, anchor: Anchor, rows: Rows, parts: Sequence[Circumstances], steps: int) -> Compared:
    """Take steps again from an anchor.

    Raises:
        FoveateError: One differs.
    """
    number = part_of(parts, anchor.step)
    part, later = parts[number], parts[number + 1 :]
    last = run / CHECKPOINTS / LAST
    request = understand("fit", ["--ckpt_path", str(anchor.file or last)])
    recipe = dict(request.recipe)
    if later:
        recipe = accept({**part["recipe"]}, trusted_modules(request.modules))
        recipe.pop(PLUGINS, None)
    trainer: dict[str, Any] = {**recipe.get("trainer", {}), "logger": False, "enable_progress_bar": False}
    schedule = recipe.get("model", {}).get("init_args", {}).get("schedule") or {}
    if schedule.get("name") != "plateau":  # else validations decide the learning rate
        trainer |= {"limit_val_batches": 0, "num_sanity_val_steps": 0}
    recipe["trainer"] = {**trainer, "enable_checkpointing": False}
    request = replace(request, recipe=recipe, checkpoint=anchor.file, run=None)
    checkpoint = {} if anchor.file is None else read_checkpoint(anchor.file)
    cli = ReplayCLI(request, checkpoint, rows, steps=steps)
    changed = differences(_machine(part), _machine(cli.circumstances()))
    if later:  # from there on the rows are of a training with other settings
        cli.comparer.end = min(cli.comparer.end, int(later[0]["first_step"]))
    cli.comparer.bound = BOUND if any(name in HARDWARE for name in changed) else 0.0
    if not later:
        changed |= changed_recipe(run, parts)
    path = None if anchor.file is None else str(anchor.file)
    with suppress(Enough), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*callbacks used to create the checkpoint.*")  # none saves here
        cli.trainer.fit(cli.model, cli.datamodule, ckpt_path=path, weights_only=True)
    if cli.comparer.mismatch is not None:
        raise _explain(cli.comparer.mismatch, anchor, changed)
    if recipe_changes := {name: values for name, values in changed.items() if name.startswith("recipe.")}:
        raise ConfigError(f"{run / RECIPE} is not the recipe of the training: {_tell(recipe_changes)}")
    return Compared(cli.comparer.done, str(anchor), cli.comparer.bound, changed)


def _machine(part: Circumstances) -> Circumstances:
    """What of a description belongs to the machine and its software, and not to the training."""
    return {name: value for name, value in part.items() if name not in ("recipe", "seed", "processes", "first_step")}


def _explain(mismatch: Mismatch, anchor: Anchor, changed: Mapping[str, tuple[Any, Any]]) -> FoveateError | PluginError:
    """The error of a step that differs; what has changed since the training decides its class."""
    text = f"{mismatch} (taken again from {anchor})"
    if mismatch.what == "images" and not any(name.startswith("recipe.") for name in changed):
        return UnusableDataError(f"{text}: the files have changed since the training")
    for prefix, kind in (("recipe.", ConfigError), ("plugins.", PluginError), ("", CheckpointError)):
        if found := {name: values for name, values in changed.items() if name.startswith(prefix)}:
            return kind(f"{text}; since the training has changed: {_tell(found)}")
    return CheckpointError(f"{text}, and nothing that was recorded has changed: code, plugins, kernels, recipe, data")


def _tell(changed: Mapping[str, tuple[Any, Any]]) -> str:
    return few((f"{name} ({before!s:.60} -> {now!s:.60})" for name, (before, now) in changed.items()), 6)
