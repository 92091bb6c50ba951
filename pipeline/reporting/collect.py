"""Reads what a run directory knows of its training and its scores."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from foveate.pipeline.callbacks.extremes import Extremes, read_extremes
from foveate.pipeline.errors import CheckpointError
from foveate.pipeline.loggers.csv import read_log
from foveate.pipeline.metrics.report import Report
from foveate.pipeline.runs.directories import CHECKPOINTS, RECIPE
from foveate.pipeline.runs.recipes import read_recipe
from foveate.pipeline.runs.scores import Evaluation, read_scores
from foveate.plugins.hints import did_you_mean_path

DOUBTS = 20  # regions that a report lists
WHICH = ("best", "last")


@dataclass(frozen=True)
class RunFacts:
    """What a report tells of a run.

    Attributes:
        name: Such as camvid_segnext_t 0003.
        run: The run directory.
        recipe: Its recipe, with all defaults filled in.
        circumstances: Versions, plugins and the data's fingerprint; empty if unknown.
        log: The rows of metrics.csv.
        scored: The scores that the report is about: those of best.ckpt, or of the checkpoint that was asked for.
        extremes: The worst and the best images.
        doubts: Doubted labels, the most doubtful first, as rows of doubts.csv.
        summary: The lines of summary.md that begin with a dash.
    """

    name: str
    run: Path
    recipe: Mapping[str, Any]
    circumstances: Mapping[str, Any]
    log: Sequence[Mapping[str, str]]
    scored: tuple[Evaluation, Report] | None
    extremes: Extremes
    doubts: Sequence[Mapping[str, str]]
    summary: Sequence[str]

    @property
    def is_segmentation(self) -> bool:
        """Whether pixels were scored."""
        return self.scored is not None and "iou" in self.scored[1].figures

    @property
    def monitor(self) -> str:
        """The column of the score in the log."""
        return "val/miou" if any("val/miou" in row for row in self.log[:1]) else "val/acc"


def collect(given: Path) -> RunFacts:
    """What a run directory knows, or that of a checkpoint in one.

    Args:
        given: A run directory, or a checkpoint in its folder `checkpoints`.

    Raises:
        CheckpointError: It is neither.
    """
    run, which = _run_of(given.expanduser())
    recipe_file = run / RECIPE
    if not recipe_file.is_file():
        hint = did_you_mean_path(given)
        raise CheckpointError(f"{given}: no run directory, and no checkpoint in one{hint} ({recipe_file} is missing)")
    scores = _score_file(run, which)
    log = run / "metrics.csv"
    return RunFacts(
        name=" ".join([*run.resolve().parts[-2:], *([which] if which else [])]),
        run=run,
        recipe=read_recipe(recipe_file),
        circumstances=_circumstances(run),
        log=read_log(log) if log.is_file() else [],
        scored=None if scores is None else read_scores(scores),
        extremes=Extremes() if scores is None else read_extremes(scores),
        doubts=_doubts(run),
        summary=_summary(run),
    )


def _run_of(given: Path) -> tuple[Path, str | None]:
    if given.is_dir():
        return given, None
    return given.parent.parent if given.parent.name == CHECKPOINTS else given.parent, given.stem


def _score_file(run: Path, which: str | None) -> Path | None:
    """The score file of a checkpoint: of the best, else of the last."""
    names = [which] if which else WHICH
    files = [run / f"val-{name}.json" for name in names]
    return next((file for file in files if file.is_file()), None)


def _circumstances(run: Path) -> Mapping[str, Any]:
    """Those of the last part of a training."""
    try:
        parts = json.loads((run / "run.json").read_text(encoding="utf-8"))["parts"]
        return {key: value for key, value in parts[-1].items() if key != "recipe"}
    except (OSError, ValueError, KeyError, IndexError):
        return {}


def _doubts(run: Path) -> list[Mapping[str, str]]:
    found: list[Mapping[str, str]] = []
    for split in ("val", "train"):
        file = run / "doubt" / split / "doubts.csv"
        if file.is_file():
            with file.open(encoding="utf-8", newline="") as opened:
                rows = csv.DictReader(opened)
                found += [{"split": split, **row} for _, row in zip(range(DOUBTS), rows, strict=False)]
    return found


def _summary(run: Path) -> list[str]:
    file = run / "summary.md"
    lines = file.read_text(encoding="utf-8").splitlines() if file.is_file() else []
    return [line.removeprefix("- ") for line in lines if line.startswith("- ")]
