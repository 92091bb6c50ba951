"""What a search leaves: a table of its trials, and the recipe of the best one."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from optuna.trial import FrozenTrial, TrialState

from foveate.pipeline.files import replacing, write_text
from foveate.pipeline.runs.directories import RECIPE
from foveate.pipeline.runs.recipes import dump_recipe, load_yaml
from foveate.plugins.tables import create_console, create_table

SHOWN = 10
STATES = {TrialState.COMPLETE: "", TrialState.PRUNED: "stopped early", TrialState.FAIL: "failed"}


def write_table(out: Path, monitor: str, keys: Sequence[str], trials: Sequence[FrozenTrial]) -> None:
    """Write all trials to a CSV file, and print the best ones.

    Args:
        out: Folder of the study.
        monitor: The metric.
        keys: The options that were tried.
        trials: Those that ended.
    """
    ordered = sorted(trials, key=_order)
    heading = ["trial", monitor, "state", *keys, "run", "cause"]
    with replacing(out / "trials.csv") as draft, draft.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(heading)
        for trial in ordered:
            score = "" if _score(trial) is None else _score(trial)
            tried = [trial.params.get(key, "") for key in keys]
            told = [trial.user_attrs.get(name, "") for name in ("run", "cause")]
            writer.writerow([trial.number, score, trial.state.name.lower(), *tried, *told])
    table = create_table("trial", f"{monitor} %", "", *(key.rpartition(".")[2] for key in keys))
    for trial in ordered[:SHOWN]:
        score = _score(trial)
        shown = [f"{value:.4g}" if isinstance(value, float) else str(value) for value in map(trial.params.get, keys)]
        table.add_row(str(trial.number), "" if score is None else f"{100 * score:.1f}", STATES[trial.state], *shown)
    create_console().print(table, markup=False)
    if len(ordered) > SHOWN:
        print(f"and {len(ordered) - SHOWN} more in {out / 'trials.csv'}", flush=True)


def _score(trial: FrozenTrial) -> float | None:
    """The score of a trial; of one that was stopped early, the best until then."""
    if trial.state == TrialState.COMPLETE:
        return trial.value
    return max(trial.intermediate_values.values(), default=None)


def _order(trial: FrozenTrial) -> tuple[bool, float]:
    score = _score(trial)
    return trial.state != TrialState.COMPLETE, -(score if score is not None else -1.0)


def write_best(out: Path, command: str, monitor: str, best: FrozenTrial) -> Path:
    """Write the recipe of the best trial, with all defaults filled in.

    Args:
        out: Folder of the study.
        command: The command that trains it.
        monitor: The metric.
        best: The trial.
    """
    recipe = load_yaml(Path(str(best.user_attrs["run"])) / RECIPE)
    recipe["trainer"].pop("default_root_dir", None)
    recipe["trainer"].pop("enable_progress_bar", None)
    score = 100 * (best.value or 0.0)
    lines = [f"# The best of the trials in {out}: trial {best.number}, {monitor} {score:.1f} %.", f"# {command}"]
    path = out / "best.yaml"
    write_text(path, "\n".join([*lines, dump_recipe(recipe)]))
    return path
