"""The command `foveate tune`: checks the recipe and the space, and starts the search."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from foveate.pipeline.answering import answer
from foveate.pipeline.command_line import parse_options, split_flags
from foveate.pipeline.errors import ConfigError
from foveate.pipeline.runs.recipes import find_recipe
from foveate.pipeline.tuning.space import Dimension, probes, read_space

FLAGS = ("--data", "--model", "--trainer.", "--plugins", "--disable", "--pictures.", "--checkpoints.")
SINGLE = ("--seed_everything", "--early_stop", "--skip_nonfinite")


@dataclass(frozen=True)
class TuneOptions:
    """Search the options of a recipe that give the best validation score.

    Each trial is a training in a process of its own; one that fails is noted, and the search goes on. Trials whose
    score is below the median of the others at the same step are stopped early. Run the same command again to go on with
    a search that was ended, or with more trials. Flags of the recipe (--data., --model., --trainer.) apply to all.

    SPACE maps options to ranges or choices, such as
      model.optimizer.lr: {low: 1e-5, high: 1e-3, log: true}
      model.schedule.name: {choices: [poly, cosine]}

    Example: foveate tune camvid_segnext_t space.yaml --trials 20 --data.root ~/camvid --trainer.max_steps 2000

    Args:
        recipe: Name of a shipped recipe, or a file.
        space: YAML file that maps options to ranges or choices.
        trials: How many trials the study is to have, those of earlier calls included.
        timeout: Minutes after which no further trial begins.
        seed: Seed of what is tried.
        prune: Whether trials are stopped early.
        out: Folder of the study; studies/RECIPE if not given.
        json: File for the result, or - for standard output, also without a value.
        dry_run: Only check recipe and space, and tell which trials would run.
    """

    recipe: str
    space: Path
    trials: int = 20
    timeout: float | None = None
    seed: int = 0
    prune: bool = True
    out: Path | None = None
    json: str | None = None
    dry_run: bool = False


def run(words: Sequence[str]) -> None:
    """Run the command.

    Args:
        words: The arguments after `foveate tune`.

    Raises:
        ConfigError: An option is invalid, or the recipe or the space is.
    """
    flags, own = split_flags(words, (*FLAGS, *SINGLE))
    options = parse_options("foveate tune", TuneOptions, own, takes_recipe=True)
    answer(options.json, lambda: tune(options, flags))


def tune(options: TuneOptions, flags: Sequence[str] = ()) -> dict[str, Any]:
    """Run a search.

    Args:
        options: The command's options.
        flags: Flags of the recipe, for all trials.

    Returns:
        What came out: the folder, and the best trial.

    Raises:
        ConfigError: An option is invalid, the recipe or the space is, or Optuna is not installed.
    """
    if options.trials < 1 or (options.timeout is not None and options.timeout <= 0) or options.seed < 0:
        raise ConfigError("--trials is at least 1, --timeout above 0, --seed at least 0")
    file, dimensions = find_recipe(options.recipe), read_space(options.space)
    try:
        from foveate.pipeline.tuning.search import Search, carry_out, foresee  # late: --help should not wait for it
    except ModuleNotFoundError as error:
        raise ConfigError(f"foveate tune needs {error.name}: pip install 'foveate[tune]'") from error
    search = Search(
        name=file.stem,
        recipe=options.recipe,
        monitor=monitor_of(options.recipe, dimensions, flags),
        dimensions=dimensions,
        out=options.out or Path("studies") / file.stem,
        flags=list(flags),
        seed=options.seed,
        prune=options.prune,
    )
    if options.dry_run:
        return foresee(search, options.trials)
    return carry_out(search, trials=options.trials, minutes=options.timeout)


def monitor_of(recipe: str, dimensions: Sequence[Dimension], flags: Sequence[str]) -> str:
    """The metric of a recipe's task, after a look at all ends of the space.

    Args:
        recipe: Name of a shipped recipe, or a file.
        dimensions: The space.
        flags: Flags of the recipe, for all trials.

    Raises:
        ConfigError: The recipe has no such option, or an option does not take such a value.
    """
    from foveate.pipeline.training.parsing import parse_only
    from foveate.pipeline.training.request import understand

    monitor = ""
    for probe in probes(dimensions):
        settings = parse_only(understand("fit", ["--config", recipe, *flags, *probe]))
        module, _, name = str(settings.model.class_path).rpartition(".")
        monitor = str(getattr(sys.modules[module], name).monitor)  # the parser has imported it
    return monitor
