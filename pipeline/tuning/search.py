"""Runs a search: asks Optuna what to try, trains it, and tells Optuna the score."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import FrozenTrial, Trial, TrialState

from foveate.pipeline.errors import ConfigError, FoveateError, MachineError
from foveate.pipeline.notes import note
from foveate.pipeline.runs.lock import RunLock, release_all
from foveate.pipeline.settings_file import settle
from foveate.pipeline.tuning.child import Outcome, train
from foveate.pipeline.tuning.report import write_best, write_table
from foveate.pipeline.tuning.space import Dimension, flags_of, label_of

DATABASE = "study.db"
TRIALS = "trials"
STARTUP = 5  # trials that are drawn at random, before Optuna draws where scores were good
HOPELESS = 3  # trials that may fail for what all have in common, before one succeeds
COMMON = (1, 2, 3, 5)  # their exit codes: a bug, the recipe, the data, a plugin
FOLDER, RUN, CAUSE, CODE = "folder", "run", "cause", "code"  # what is stored with a trial
DONE = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)


@dataclass(frozen=True)
class Search:
    """The settings of a search.

    Attributes:
        name: Name of the recipe.
        recipe: The recipe, as given on the command line.
        monitor: The metric that is to be as high as possible, at the best validation.
        dimensions: What is tried.
        out: Folder of the study.
        flags: Flags of the recipe, for all trials.
        seed: Seed of what is drawn.
        prune: Whether trials are stopped early whose score is below the median of the others at the same step.
    """

    name: str
    recipe: str
    monitor: str
    dimensions: Sequence[Dimension]
    out: Path
    flags: list[str] = field(default_factory=list)
    seed: int = 0
    prune: bool = True

    def settings(self) -> dict[str, Any]:
        """What has to stay the same when the study goes on."""
        space = {one.key: [one.low, one.high, one.log, one.step, list(one.choices)] for one in self.dimensions}
        return {"recipe": self.recipe, "flags": self.flags, "space": space, "seed": self.seed, "prune": self.prune}

    def words(self, values: dict[str, Any]) -> list[str]:
        """The command line that trains with some values, after `foveate`."""
        return ["fit", "--config", self.recipe, *self.flags, *flags_of(values)]


def carry_out(search: Search, *, trials: int, minutes: float | None) -> dict[str, Any]:
    """Train until the study has enough trials; what an earlier call has finished counts.

    Args:
        search: The settings.
        trials: How many trials the study is to have.
        minutes: After which no further trial begins.

    Returns:
        The folder, the metric, the number of trials, and of the best one its score in [0, 1], values, command, recipe
        and run; None if no trial was completed.

    Raises:
        ConfigError: The study's folder holds one with other settings, or another process works on it.
        MachineError: Every trial failed.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    settle(search.out, search.settings(), "a study")
    RunLock(search.out).take()
    try:
        study = open_study(search)
        retry_unfinished(study)
        deadline = None if minutes is None else time.monotonic() + 60 * minutes
        while (done := _count(study)) < trials and (deadline is None or time.monotonic() < deadline):
            _try_one(search, study, f"[{done + 1}/{trials}]")
            _check_hope(study)
        return _finish(search, study)
    finally:
        release_all()


def foresee(search: Search, trials: int) -> dict[str, Any]:
    """Tell which trials a search would run; nothing is written.

    Args:
        search: The settings.
        trials: How many trials the study is to have.

    Returns:
        The folder, how many trials are done, and how many would run.
    """
    done = _count(open_study(search)) if (search.out / DATABASE).is_file() else 0
    for dimension in search.dimensions:
        print(f"{dimension.key}: {dimension}", flush=True)
    left = max(trials - done, 0)
    print(f"{left} trials would run, {done} are done; each: foveate {shlex.join(search.words({}))}", flush=True)
    return {"folder": str(search.out), "done": done, "left": left}


def open_study(search: Search) -> optuna.Study:
    """The study in its folder, or a new one.

    Args:
        search: The settings.
    """
    pruner = optuna.pruners.MedianPruner(n_startup_trials=STARTUP) if search.prune else optuna.pruners.NopPruner()
    return optuna.create_study(
        study_name=search.name,
        storage=f"sqlite:///{(search.out / DATABASE).absolute()}",
        direction="maximize",
        load_if_exists=True,
        pruner=pruner,
    )


def retry_unfinished(study: optuna.Study) -> None:
    """Queue what was being tried when an earlier search was ended; it goes on from its checkpoint.

    Args:
        study: The study.
    """
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        study.tell(trial.number, state=TrialState.FAIL)
        folder = trial.user_attrs.get(FOLDER)
        if folder and trial.params:
            study.enqueue_trial(trial.params, user_attrs={FOLDER: folder})


def _count(study: optuna.Study) -> int:
    """Trials that ended by themselves."""
    return len(finished(study))


def finished(study: optuna.Study) -> list[FrozenTrial]:
    """The trials that ended by themselves, not because the search was ended.

    Args:
        study: The study.
    """
    trials = study.get_trials(deepcopy=False, states=DONE)
    return [trial for trial in trials if trial.state != TrialState.FAIL or CAUSE in trial.user_attrs]


def _try_one(search: Search, study: optuna.Study, progress: str) -> None:
    # A sampler of its own for each trial: a study that was ended and goes on draws what it would have drawn
    seed = 1000 * search.seed + _count(study)
    study.sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=STARTUP)
    trial = study.ask()
    values = {dimension.key: dimension.suggest(trial) for dimension in search.dimensions}
    folder = trial.user_attrs.get(FOLDER) or f"{TRIALS}/{trial.number:04d}"
    trial.set_user_attr(FOLDER, folder)
    said = ", ".join(f"{key.rpartition('.')[2]} {_plain(value)}" for key, value in values.items())
    note(f"{progress} trial {trial.number}: {said}")
    began = time.monotonic()
    place = search.out / folder
    words = [*search.words(values), "--ckpt_path=auto", f"--trainer.default_root_dir={place.absolute()}"]
    words += ["--trainer.enable_progress_bar=false"]
    outcome = train(words, place, search.name, search.monitor, _stops(trial))
    told = _tell(study, trial, outcome, search.monitor)
    note(f"{progress} trial {trial.number}: {told} in {time.monotonic() - began:.0f} s{_best(study)}")


def _stops(trial: Trial) -> Callable[[int, float], bool]:
    """Report a score; whether the trial is worse than the others at that step."""

    def look(step: int, score: float) -> bool:
        trial.report(score, step)
        return bool(trial.should_prune())

    return look


def _tell(study: optuna.Study, trial: Trial, outcome: Outcome, monitor: str) -> str:
    """Store how a trial ended; in words."""
    if outcome.run is not None:
        trial.set_user_attr(RUN, str(outcome.run))
    best = max(outcome.scores.values(), default=None)
    if outcome.stopped:
        study.tell(trial, state=TrialState.PRUNED)
        return f"stopped at step {max(outcome.scores)}, {monitor} {100 * (best or 0):.1f} % is below the median"
    if outcome.code == 0 and best is not None:
        study.tell(trial, best)
        return f"{monitor} {100 * best:.1f} %"
    cause = outcome.cause or f"no {monitor} was logged: is there a validation within the training's steps?"
    trial.set_user_attr(CODE, outcome.code)
    trial.set_user_attr(CAUSE, cause)
    study.tell(trial, state=TrialState.FAIL)
    return f"failed ({outcome.code}): {cause}"


def best_of(study: optuna.Study) -> FrozenTrial | None:
    """The trial with the highest score; None if none was completed.

    Args:
        study: The study.
    """
    complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    return max(complete, key=lambda trial: trial.value or 0.0, default=None)


def _best(study: optuna.Study) -> str:
    best = best_of(study)
    return "" if best is None else f"; best so far {100 * (best.value or 0):.1f} % (trial {best.number})"


def _check_hope(study: optuna.Study) -> None:
    """End a search in which nothing works.

    Raises:
        FoveateError: The first trials all failed, for what they have in common.
    """
    ended = finished(study)
    if len(ended) >= HOPELESS and all(trial.user_attrs.get(CODE) in COMMON for trial in ended):
        raise _hopeless(len(ended), str(ended[-1].user_attrs[CAUSE]))


def _hopeless(count: int, cause: str) -> FoveateError:
    kind = MachineError if cause.startswith("machine") else ConfigError
    return kind(f"all of {count} trials failed, the last with: {cause}")


def _finish(search: Search, study: optuna.Study) -> dict[str, Any]:
    """Print the table, and how to train the best; what came out.

    Raises:
        FoveateError: No trial was completed.
    """
    ended, best = finished(study), best_of(study)
    write_table(search.out, search.monitor, [one.key for one in search.dimensions], ended)
    found = {"folder": str(search.out), "monitor": search.monitor, "trials": len(ended), "best": None}
    if best is None:
        failed = [trial for trial in ended if trial.state == TrialState.FAIL]
        if failed:
            raise _hopeless(len(ended), str(failed[-1].user_attrs[CAUSE]))
        print("no trial was completed", flush=True)
        return found
    values = _values(search, best)
    command = shlex.join(["foveate", *search.words(values)])
    file = write_best(search.out, command, search.monitor, best)
    print(f"train the best one: {command}", flush=True)
    print(f"its recipe: {file}; its run: {best.user_attrs.get(RUN)}; table: {search.out / 'trials.csv'}", flush=True)
    told = {"trial": best.number, "score": best.value, "values": values, "command": command, "recipe": str(file)}
    return {**found, "best": {**told, "run": best.user_attrs.get(RUN)}}


def _values(search: Search, trial: FrozenTrial) -> dict[str, Any]:
    """What a trial tried; choices as they were written."""
    labels = {one.key: {label_of(choice): choice for choice in one.choices} for one in search.dimensions}
    return {key: labels[key].get(str(value), value) for key, value in trial.params.items()}


def _plain(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else label_of(value)
