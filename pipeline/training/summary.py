"""The end of a run: prints and writes scores, and lists the written files."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import lightning.pytorch as L
import torch

from foveate.pipeline.callbacks.extremes import keep_extremes
from foveate.pipeline.callbacks.final_validation import validates
from foveate.pipeline.callbacks.score_keeper import ScoreKeeper, describe_evaluation
from foveate.pipeline.files import write_text
from foveate.pipeline.loggers.csv import read_log
from foveate.pipeline.metrics.report import Report, print_report, report_as_markdown
from foveate.pipeline.optional_files import OptionalFiles
from foveate.pipeline.per_image.files import ENDING, write_record
from foveate.pipeline.reporting.curves import draw_curves
from foveate.pipeline.runs.directories import CHECKPOINTS, RECIPE, short
from foveate.pipeline.runs.recipes import Recipe, load_yaml
from foveate.pipeline.runs.scores import Evaluation, describe_data, scores_as_json, tell_apart, write_scores
from foveate.pipeline.task import VisionTask
from foveate.pipeline.text import first_line
from foveate.pipeline.training.ending import tell_end
from foveate.pipeline.training.request import Request

WRITTEN = (
    "report.html",
    "summary.md",
    "curves.png",
    "metrics.csv",
    "val-best.json",
    "val-last.json",
    "overlays",
    "recipe.yaml",
)
Scored = tuple[Evaluation, Report]


@dataclass(frozen=True)
class Training:
    """A finished training.

    Attributes:
        run: Its directory.
        recipe: Its recipe, with all defaults filled in.
        command: The command line that started it.
        seconds: How long it took, validations included.
        first_step: The step at which it began; above 0 where a run was continued.
    """

    run: Path
    recipe: Recipe
    command: str
    seconds: float
    first_step: int = 0


def report_scores(
    request: Request,
    task: VisionTask,
    recipe: Recipe,
    trainer: L.Trainer,
    step: int,
    weights: str | None = None,
) -> dict[str, Any] | None:
    """Print the scores of an evaluation and write them into the checkpoint's run.

    Scores on other data than the run's own, or with other evaluation settings, go to a file with another name.

    Args:
        request: The parsed command line.
        task: The task that was evaluated.
        recipe: The recipe that was evaluated, with all defaults filled in.
        trainer: The trainer that evaluated it.
        step: Optimiser steps that the weights were trained for.
        weights: Published weights that were scored instead of a checkpoint.

    Returns:
        What a score file holds; None if nothing was scored.
    """
    split = "val" if request.command == "validate" else "test"
    report = task.report_of_scores()
    if report is None:
        print(f"nothing was scored: limit_{split}_batches is 0, or there is no {split} split", flush=True)
        return None
    own = load_yaml(request.run / RECIPE) if request.run else recipe
    evaluation = describe_evaluation(
        trainer,
        report,
        recipe,
        split=split,
        checkpoint=request.checkpoint or Path(weights or "no checkpoint"),
        step=step,
        engine=request.engine,
        differences=tell_apart(recipe, own, split=split, engine=request.engine),
    )
    print_report(report, evaluation.title, evaluation.note)
    if request.run is not None:
        path = write_scores(request.run, evaluation, report)
        print(f"scores written to {short(path)}", flush=True)
        with OptionalFiles("pictures of the worst and best images").attempt():
            keep_extremes(path, trainer)
    if request.per_image is not None and task.record is not None:
        beside = (request.run or Path()) / f"{evaluation.name}{ENDING}"
        path = Path(request.per_image).expanduser() if request.per_image else beside
        write_record(path, task.record)
        print(f"{len(task.record):,} images, a line each, written to {short(path)}", flush=True)
    return scores_as_json(evaluation, report)


def summarise(training: Training, task: VisionTask, trainer: L.Trainer, *, page: bool = True) -> None:
    """Print the scores of the best and of the last weights, write summary.md and curves.png, and say how it ended.

    Args:
        training: The finished training.
        task: The trained task.
        trainer: Its trainer.
        page: Write report.html too.
    """
    run = training.run
    keeper = next((found for found in trainer.callbacks if isinstance(found, ScoreKeeper)), None)  # type: ignore[attr-defined]
    kept = [keeper.complete(which) for which in ("best", "last")] if keeper else []
    known = [found for found in kept if found is not None]
    same = len(known) == 2 and known[0][0].step == known[1][0].step
    scored = known[:1] if same else known
    for evaluation, report in scored:
        print_report(report, evaluation.title, evaluation.note)
    log = read_log(run / "metrics.csv")
    end, files, drawn = tell_end(trainer, run, training.first_step), OptionalFiles("curves.png and summary.md"), False
    with files.attempt():
        drawn = draw_curves(log, run / "curves.png", monitor=task.monitor, figure=task.figure, name=_name(run))
    with files.attempt():
        write_text(run / "summary.md", "\n".join(_page(training, task, trainer, scored, end, drawn)) + "\n")
    if page:
        _report(run)
    _tell(run, known, task)
    if not scored:
        print(_why_no_scores(trainer), flush=True)
    print(end, flush=True)


def _report(run: Path) -> None:
    """Write report.html; whatever fails in that is told, and does not make the training fail."""
    from foveate.pipeline.reporting.collect import collect  # late: matplotlib is slow to import
    from foveate.pipeline.reporting.page import render_report

    try:
        write_text(run / "report.html", render_report([collect(run)]))
    except Exception as error:  # the training is over, and its files are complete
        print(f"foveate: warning: no report.html: {first_line(error)}", file=sys.stderr, flush=True)


def _page(
    training: Training, task: VisionTask, trainer: L.Trainer, scored: Sequence[Scored], end: str, drawn: bool
) -> list[str]:
    """The lines of summary.md."""
    run = training.run
    lines = [f"# {_name(run)}", "", end.replace("Go on with: ", "Go on with: `") + "`", ""]
    lines += [_in_words(found, task) for found in scored] or [_why_no_scores(trainer)]
    lines += ["", *_facts(training, task, trainer)]
    if drawn:
        lines += ["", f"![training loss and val {task.figure} by step](curves.png)"]
    picture = _latest_picture(run)
    if picture is not None:
        lines += ["", f"![{picture.parent.name if picture.parent != run else ''} {picture.stem}]({picture.as_posix()})"]
    for evaluation, report in scored:
        lines += ["", f"## {evaluation.title}", "", f"{evaluation.note}.", "", report_as_markdown(report)]
    return lines


def _in_words(found: Scored, task: VisionTask) -> str:
    evaluation, report = found
    value = report.figures[task.monitor.rpartition("/")[2]]
    which = Path(evaluation.checkpoint).stem
    part = " of a part of the split" if evaluation.partial else ""
    return f"- {which}.ckpt (step {evaluation.step}): val {task.figure} {100 * (value or 0):.1f} %{part}"


def _facts(training: Training, task: VisionTask, trainer: L.Trainer) -> list[str]:
    parameters = sum(parameter.numel() for parameter in task.network.parameters())
    device = torch.cuda.get_device_name() if trainer.strategy.root_device.type == "cuda" else "CPU"
    minutes = training.seconds / 60
    versions = f"Python {platform.python_version()}, torch {torch.__version__}, lightning {version('lightning')}"
    return [
        f"- network: {task.hparams['network']}, {parameters:,} parameters",
        f"- data: {' '.join(describe_data(training.recipe).values())}",
        f"- time: {minutes:.1f} minutes for {trainer.global_step - training.first_step} steps, validations included",
        f"- machine: {trainer.world_size} x {device}, {os.cpu_count()} cores, {platform.system()} {platform.machine()}",
        f"- precision {trainer.precision}, {versions}",
        f"- command: `{training.command}`",
    ]


def _latest_picture(run: Path) -> Path | None:
    """A picture of the last validation, as a path relative to the run directory."""
    steps = sorted((run / "overlays").glob("step-*"))
    pictures = sorted(steps[-1].iterdir()) if steps and steps[-1].is_dir() else steps[-1:]
    return pictures[0].relative_to(run) if pictures else None


def _tell(run: Path, scored: Sequence[Scored], task: VisionTask) -> None:
    """Print which checkpoints there are, and which other files."""
    values = {Path(evaluation.checkpoint).stem: (evaluation, report) for evaluation, report in scored}
    for which in ("best", "last"):
        path = run / CHECKPOINTS / f"{which}.ckpt"
        if path.is_file():
            found = values.get(which)
            score = f" ({_in_words(found, task).partition('(')[2].replace('):', ',')})" if found else ""
            print(f"{which}: {short(path)}{score}")
    there = [name for name in WRITTEN if (run / name).exists()]
    print(f"in {short(run)}: {', '.join(there)}", flush=True)


def _why_no_scores(trainer: L.Trainer) -> str:
    if not validates(trainer):
        return "Never validated, so there is no best.ckpt: limit_val_batches is 0, or the data has no val split."
    return "Not validated yet, so there is no best.ckpt."


def _name(run: Path) -> str:
    return f"{run.parent.name} {run.name}"
