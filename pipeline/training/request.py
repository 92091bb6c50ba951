"""What a command line asks for, before anything heavy is built: recipe, checkpoint, plugins, flags."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from foveate.pipeline.engines import check_engine
from foveate.pipeline.errors import ConfigError
from foveate.pipeline.json_option import JSON, STDOUT, is_json_target
from foveate.pipeline.outputs import PredictOptions
from foveate.pipeline.per_image.parquet import check_parquet
from foveate.pipeline.processes.launchers import agree_on
from foveate.pipeline.runs.directories import RECIPE, RUNS, run_of
from foveate.pipeline.runs.finding import find_checkpoint
from foveate.pipeline.runs.limits import without_limits
from foveate.pipeline.runs.probe import probe
from foveate.pipeline.runs.recipes import PLUGINS, Recipe, accept, find_recipe, load_yaml, merge
from foveate.pipeline.runs.remembered import recall, trusted_modules
from foveate.pipeline.runs.unfinished import AUTO, find_unfinished
from foveate.pipeline.training.exported import check_alone, recipe_in, take_exported
from foveate.pipeline.training.flags import spell_out_flags, take_option, take_switch, value_of
from foveate.pipeline.training.paths import check_paths
from foveate.pipeline.training.predict_options import read_options
from foveate.plugins.hints import nearest, suggest
from foveate.plugins.manager import installed_plugins
from foveate.plugins.selection import split_names
from foveate.plugins.sources import locate_all

ROOT, DRY_RUN = "--trainer.default_root_dir", "--dry_run"


@dataclass(frozen=True)
class Request:
    """A parsed command line.

    Attributes:
        command: fit, validate, test or predict.
        recipe: All given recipes, merged; the recipe of the checkpoint's run if none was given.
        name: The name of the run.
        checkpoint: The file meant by --ckpt_path, if given.
        run: The directory of the run to continue, if the checkpoint lies in one.
        flags: The rest of the command line.
        modules: Modules named by --plugins, and those recorded in the checkpoint's run.
        engine: The engine that runs the network (--engine).
        words: The whole command line, for display.
        dry_run: Whether only a few steps are trained, and nothing is written.
        per_image: File for a line on each evaluated image; empty for one in the run, None for no file.
        model: An exported model to run instead of a checkpoint.
        predicting: What `predict` writes and how.
        json: File for the figures as JSON; `-` for standard output, to which nothing else goes then; None for none.
    """

    command: str
    recipe: Recipe
    name: str
    flags: list[str]
    checkpoint: Path | None = None
    run: Path | None = None
    modules: list[str] = field(default_factory=list)
    engine: str = "torch"
    words: list[str] = field(default_factory=list)
    dry_run: bool = False
    per_image: str | None = None
    model: Path | None = None
    predicting: PredictOptions = PredictOptions()  # noqa: RUF009  frozen
    json: str | None = None


def understand(command: str, argv: Sequence[str]) -> Request:
    """Parse a command line.

    Raises:
        ConfigError: A recipe does not exist or cannot be read, or there is none.
        CheckpointError: The checkpoint does not exist.
    """
    configs, rest = take_option(argv, "--config", "-c")
    modules, rest = take_option(rest, "--plugins")
    which, rest = take_option(rest, "--ckpt_path")
    model, rest = take_exported(rest)
    check_alone(model, command, which)
    disabled, rest = take_option(rest, "--disable")
    engines, rest = take_option(rest, "--engine")
    per_image, rest = take_switch(rest, "--per_image")
    json, rest = take_switch(rest, JSON, is_json_target)
    predicting, rest = read_options(rest) if command == "predict" else (PredictOptions(), rest)
    modules, disabled = _split(modules), _split(disabled)
    locate_all(modules)  # reports a wrong one before anything is imported
    files = [find_recipe(name) for name in configs]
    name = files[-1].stem if files else None
    root = value_of(rest, ROOT) or RUNS
    checkpoint = _checkpoint(which[-1], Path(root), name, command) if which else None
    run = run_of(checkpoint) if checkpoint else None
    if run and not files:
        modules += recall(load_yaml(run / RECIPE), modules)
    if modules or disabled:
        installed_plugins(modules, disable=disabled)
    names = trusted_modules(modules)
    found = [load_yaml(file) for file in files] or [
        recipe_in(model) if model else _recipe_of(checkpoint, command, rest)
    ]
    recipe = merge(accept(recipe, names) for recipe in found)
    recipe.pop(PLUGINS, None)
    if not files and command != "fit":
        recipe = without_limits(recipe)  # evaluation is not limited by the training's batch limits
    dry_run = DRY_RUN in rest
    flags = spell_out_flags([word for word in rest if word != DRY_RUN], names)
    check_paths(recipe, flags, predicts=command == "predict")
    if dry_run and command != "fit":
        raise ConfigError(f"{DRY_RUN} is for fit")
    if command == "fit" and not dry_run:
        probe(run or Path(root_of(recipe, rest)))
    return Request(
        command=command,
        recipe=recipe,
        name=name or (run.parent.name if run else "run"),
        checkpoint=checkpoint,
        run=run,
        flags=flags,
        modules=modules,
        engine=_engine(engines, command),
        dry_run=dry_run,
        per_image=_per_image(per_image, command),
        model=model,
        words=["foveate", command, *argv],
        predicting=predicting,
        json=STDOUT if json == "" else json,
    )


def root_of(recipe: Recipe, flags: Sequence[str]) -> str:
    """The folder in which runs are kept.

    Args:
        recipe: The merged recipes.
        flags: The flags.
    """
    return value_of(flags, ROOT) or str((recipe.get("trainer") or {}).get("default_root_dir") or RUNS)


def _checkpoint(which: str, root: Path, name: str | None, command: str) -> Path | None:
    """The checkpoint meant by --ckpt_path; None for `auto` if a training is to begin."""
    if which != AUTO:
        return find_checkpoint(which, root, name)
    if command != "fit":
        raise ConfigError(f"--ckpt_path auto is for fit, which goes on with a training; {command} takes last or best")
    found = agree_on("checkpoint", lambda: str(find_unfinished(root, name) or ""))
    return Path(found) if found else None


def _engine(given: Sequence[str], command: str) -> str:
    """The engine that runs the network.

    Raises:
        ConfigError: There is no such engine, or the command is fit.
    """
    if not given:
        return "torch"
    check_engine(given[-1])
    if command == "fit":
        raise ConfigError("--engine is for validate, test and predict: an engine runs a network and cannot train it")
    return given[-1]


def _per_image(given: str | None, command: str) -> str | None:
    """The file for a line on each image.

    Raises:
        ConfigError: The command scores no images, or the file cannot be written here.
    """
    if given is None:
        return None
    if command not in ("validate", "test"):
        raise ConfigError(f"--per_image is for validate and test, which score images, not for {command}")
    check_parquet(Path(given))
    return given


def _split(values: Sequence[str]) -> list[str]:
    return [name for value in values for name in split_names(value)]


def _recipe_of(checkpoint: Path | None, command: str, flags: Sequence[str]) -> Recipe:
    """The recipe beside a checkpoint, or inside it.

    Raises:
        ConfigError: There is none; a flag that may have been meant to give one is named.
    """
    if checkpoint is None:
        for option in (flag.partition("=")[0] for flag in flags if flag.startswith("--")):
            if meant := nearest(option, ("--config", "--ckpt_path")):
                raise ConfigError(f"no option {option!r}{suggest(meant)} (see: foveate {command} --help)")
        asked = "--ckpt_path CHECKPOINT" if command != "fit" else "--config RECIPE"
        raise ConfigError(f"which recipe? give {asked} (shipped ones: foveate recipes list)")
    beside = checkpoint.parent.parent / RECIPE
    if beside.is_file():
        return load_yaml(beside)
    from foveate.pipeline.runs.checkpoints import RECIPE_KEY, read_checkpoint  # late: needs torch

    inside = read_checkpoint(checkpoint).get(RECIPE_KEY)
    if not isinstance(inside, dict):
        raise ConfigError(f"{checkpoint}: no recipe beside it or in it; give --config RECIPE")
    return dict(inside)
