"""The end of a run: scores on the screen and in files, and where everything is."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import lightning.pytorch as L

from foveate.pipeline.files import write_text
from foveate.pipeline.loggers.csv import read_log
from foveate.pipeline.metrics.report import print_report, report_as_markdown, write_report
from foveate.pipeline.runs.directories import CHECKPOINTS, RECIPE
from foveate.pipeline.runs.recipes import Recipe, load_yaml
from foveate.pipeline.task import VisionTask
from foveate.pipeline.training.curves import draw_curves
from foveate.pipeline.training.request import Request

# How samples are read and augmented for training changes no score.
INDIFFERENT = {"batch_size", "eval_batch_size", "num_workers", "seed", "sampling"}


def report_scores(request: Request, task: VisionTask, recipe: Recipe, weights: str | None = None) -> None:
    """Print the scores of an evaluation and write them beside the checkpoint's run.

    Scores of other data than the run's own, or of another way to evaluate, go to a file of another name.

    Args:
        request: What was asked for.
        task: The task that was evaluated.
        recipe: What was evaluated, with everything spelled out.
        weights: Published weights that were scored in place of a checkpoint.
    """
    report = task.report_of_scores()
    if report is None:
        return
    split = "val" if request.command == "validate" else "test"
    print_report(report, f"{split}, {weights or request.checkpoint}")
    if request.run is not None and request.checkpoint is not None:
        name = "-".join([split, request.checkpoint.stem, *tell_apart(recipe, load_yaml(request.run / RECIPE))])
        path = request.run / f"{name}.json"
        write_report(path, report)
        print(f"scores written to {path}", flush=True)


def tell_apart(recipe: Recipe, own: Recipe) -> list[str]:
    """What sets scores of one recipe apart from those of the run's own: the data's folder and a hash; nothing if equal.

    Example:
        >>> tell_apart({"data": {"init_args": {"root": "/d/rain"}}}, {"data": {"init_args": {"root": "/d/city"}}})
        ['rain', '642d90']
    """
    settings = _settings(recipe)
    if settings == _settings(own):
        return []
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True, default=str).encode()).hexdigest()
    root = str(_arguments(recipe, "data").get("root") or "data")
    place = "".join(letter if letter.isalnum() or letter in "._" else "_" for letter in Path(root).name)
    return [place or "data", digest[:6]]


def _settings(recipe: Recipe) -> dict[str, Any]:
    """What decides on scores, but for the weights: the data, and how images are put through the network."""
    data = {key: value for key, value in _arguments(recipe, "data").items() if key not in INDIFFERENT}
    if data.get("root"):
        data["root"] = str(Path(data["root"]).expanduser().resolve())
    kind = str(recipe.get("data", {}).get("class_path", "")).rpartition(".")[2]
    return {"class": kind, "data": data, "inference": _arguments(recipe, "model").get("inference")}


def _arguments(recipe: Recipe, part: str) -> Mapping[str, Any]:
    arguments: Mapping[str, Any] = (recipe.get(part) or {}).get("init_args") or {}
    return arguments


def summarise(run: Path, task: VisionTask, trainer: L.Trainer) -> None:
    """Print the last validation of a training, write summary.md and curves.png, and say where everything is."""
    log = read_log(run / "metrics.csv")
    history = [float(row[task.monitor]) for row in log if row.get(task.monitor)]
    lines = [f"# {run.parent.name} {run.name}", "", f"{trainer.global_step} steps."]
    if history:
        end, best = 100 * history[-1], 100 * max(history)
        lines += [f"Val {task.figure} {end:.1f} % at the end, {best:.1f} % at best."]
    report = task.report_of_scores()
    if report is not None:
        print_report(report, f"val after step {trainer.global_step}")
        write_report(run / "val-last.json", report)
        lines += ["", report_as_markdown(report)]
    if draw_curves(log, run / "curves.png", monitor=task.monitor, figure=task.figure):
        lines += ["", f"![loss and {task.figure} by step](curves.png)"]
    write_text(run / "summary.md", "\n".join(lines) + "\n")
    _tell(run, history, task.figure)


def _tell(run: Path, history: list[float], figure: str) -> None:
    best = run / CHECKPOINTS / "best.ckpt"
    if history and best.is_file():
        print(f"best val {figure} {100 * max(history):.1f} %: {best}")
    written = ("summary.md", "curves.png", "metrics.csv", "overlays", "recipe.yaml")
    there = [name for name in written if (run / name).exists()]
    print(f"in {run}: {', '.join(there)}", flush=True)
