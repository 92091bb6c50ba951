"""Out of fold: trains a network without each part of the images in turn, so that none judges what it learned."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from foveate.pipeline.errors import (
    CheckpointError,
    ConfigError,
    DivergedError,
    FoveateError,
    MachineError,
    UnusableDataError,
)
from foveate.pipeline.files import write_text
from foveate.pipeline.notes import note
from foveate.pipeline.runs.directories import CHECKPOINTS, list_runs
from foveate.pipeline.runs.lock import RunLock, release_all
from foveate.pipeline.runs.recipes import Recipe, dump_recipe
from foveate.pipeline.runs.store import LAST
from foveate.pipeline.runs.unfinished import is_finished
from foveate.pipeline.settings_file import settle
from foveate.pipeline.tuning.child import LOG, train
from foveate.plugins.errors import PluginError

FOLDS = "folds"
KINDS = (ConfigError, UnusableDataError, CheckpointError, PluginError, DivergedError, MachineError)


@dataclass(frozen=True)
class Folds:
    """The trainings.

    Attributes:
        name: Name of the recipe.
        recipe: The recipe.
        count: In how many parts the images are divided.
        out: Folder to write to.
        flags: Flags of the recipe, for all trainings.
    """

    name: str
    recipe: Recipe
    count: int
    out: Path
    flags: list[str] = field(default_factory=list)


def train_folds(folds: Folds) -> list[Path]:
    """Train each network that is not trained yet, and give their last checkpoints.

    The last and not the best ones: the best are those that agree most with the labels that are asked about.

    Args:
        folds: The trainings.

    Raises:
        ConfigError: The folder holds trainings with other settings, or another process works in it.
        FoveateError: A training failed, for the reason that is told.
    """
    settle(folds.out, {"recipe": folds.recipe, "flags": folds.flags, "folds": folds.count}, "the networks of a doubt")
    RunLock(folds.out).take()
    file = folds.out / f"{folds.name}.yaml"
    write_text(file, dump_recipe(folds.recipe))
    try:
        return [_train(folds, file, number) for number in range(1, folds.count + 1)]
    finally:
        release_all()


def _train(folds: Folds, file: Path, number: int) -> Path:
    """The last checkpoint without one part; a training that was stopped goes on."""
    place = folds.out / FOLDS / str(number)
    if (done := _finished(place, folds.name)) is not None:
        note(f"[{number}/{folds.count}] trained before")
        return done
    began = time.monotonic()
    note(f"[{number}/{folds.count}] training without part {number}")
    outcome = train(_words(folds, file, number, place), place, folds.name, "", lambda step, score: False)
    if (done := _finished(place, folds.name)) is None:
        raise _failure(number, outcome.code, outcome.cause, place / LOG)
    note(f"[{number}/{folds.count}] trained in {(time.monotonic() - began) / 60:.1f} min")
    return done


def _words(folds: Folds, file: Path, number: int, place: Path) -> Sequence[str]:
    own = [f"--data.fold={number}/{folds.count}", "--ckpt_path=auto", "--trainer.enable_progress_bar=false"]
    return ["fit", "--config", str(file), *folds.flags, *own, f"--trainer.default_root_dir={place.absolute()}"]


def _finished(place: Path, name: str) -> Path | None:
    """The last checkpoint of a training that reached its end; None if none did."""
    done = (run for run in list_runs(place, name) if is_finished(run))
    return next((run / CHECKPOINTS / LAST for run in done if (run / CHECKPOINTS / LAST).is_file()), None)


def _failure(number: int, code: int, cause: str, log: Path) -> Exception:
    """The error of a training, with its exit code."""
    kind = next((kind for kind in KINDS if kind.exit_code == code), MachineError if code < 0 else FoveateError)
    return kind(f"the training without part {number} ended with {cause or 'no checkpoint'} (all in {log})")
