"""What a command line asks for, before anything heavy is built: recipe, checkpoint, plugins, flags."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from foveate.pipeline.engines import check_engine
from foveate.pipeline.errors import ConfigError
from foveate.pipeline.runs.directories import RECIPE, find_checkpoint, run_of
from foveate.pipeline.runs.limits import without_limits
from foveate.pipeline.runs.recipes import WANDB, Recipe, check_class_paths, find_recipe, merge, read_recipe
from foveate.plugins.manager import installed_plugins
from foveate.plugins.selection import split_names

RUNS = "runs"


@dataclass(frozen=True)
class Request:
    """A command line, taken apart.

    Attributes:
        command: fit, validate, test or predict.
        recipe: Every recipe given, laid over each other; of the checkpoint's run if none was given.
        name: What the run is called.
        checkpoint: The file meant by --ckpt_path, if given.
        run: The directory of the run to go on with, if the checkpoint lies in one.
        flags: The rest of the command line.
        modules: Modules named by --plugins.
        engine: What runs the network, of --engine.
        words: The whole command line, to be shown.
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


def understand(command: str, argv: Sequence[str]) -> Request:
    """Take a command line apart.

    Raises:
        ConfigError: A recipe does not exist or cannot be read, or there is none.
        CheckpointError: The checkpoint does not exist.
    """
    configs, rest = take_option(argv, "--config", "-c")
    modules, rest = take_option(rest, "--plugins")
    which, rest = take_option(rest, "--ckpt_path")
    disabled, rest = take_option(rest, "--disable")
    engines, rest = take_option(rest, "--engine")
    modules, disabled = _split(modules), _split(disabled)
    if modules or disabled:
        installed_plugins(modules, disable=disabled)
    files = [find_recipe(name) for name in configs]
    name = files[-1].stem if files else None
    root = _value(rest, "--trainer.default_root_dir") or RUNS
    checkpoint = find_checkpoint(which[-1], Path(root), name) if which else None
    run = run_of(checkpoint) if checkpoint else None
    recipes = [read_recipe(file) for file in files] if files else [_recipe_of(checkpoint, command)]
    if not files and command != "fit":
        recipes = [without_limits(recipe) for recipe in recipes]  # a limit of the training does not limit its scores
    _check_flags(rest, modules)
    return Request(
        command=command,
        recipe=merge(recipes),
        name=name or (run.parent.name if run else "run"),
        checkpoint=checkpoint,
        run=run,
        flags=_logger_first(rest),
        modules=modules,
        engine=_engine(engines, command),
        words=["foveate", command, *argv],
    )


def take_option(argv: Sequence[str], *names: str) -> tuple[list[str], list[str]]:
    """The values of an option, and the command line without it.

    Example:
        >>> take_option(["--config", "a", "--x=1", "--config=b"], "--config")
        (['a', 'b'], ['--x=1'])
    """
    values, rest, words = [], [], list(argv)
    while words:
        word = words.pop(0)
        option, equals, value = word.partition("=")
        if option not in names:
            rest.append(word)
        elif equals:
            values.append(value)
        elif words:
            values.append(words.pop(0))
        else:
            raise ConfigError(f"{option} needs a value")
    return values, rest


def _engine(given: Sequence[str], command: str) -> str:
    """What runs the network.

    Raises:
        ConfigError: There is no such engine, or the network is to be trained.
    """
    if not given:
        return "torch"
    check_engine(given[-1])
    if command == "fit":
        raise ConfigError("--engine is for validate, test and predict: an engine runs a network and cannot train it")
    return given[-1]


def _split(values: Sequence[str]) -> list[str]:
    return [name for value in values for name in split_names(value)]


def _value(argv: Sequence[str], name: str) -> str | None:
    values, _ = take_option(argv, name)
    return values[-1] if values else None


def _recipe_of(checkpoint: Path | None, command: str) -> Recipe:
    """The recipe beside a checkpoint, or inside it."""
    if checkpoint is None:
        asked = "--ckpt_path CHECKPOINT" if command != "fit" else "--config RECIPE"
        raise ConfigError(f"which recipe? give {asked} (shipped ones: foveate recipes list)")
    beside = checkpoint.parent.parent / RECIPE
    if beside.is_file():
        return read_recipe(beside)
    from foveate.pipeline.runs.checkpoints import RECIPE_KEY, read_checkpoint  # late: needs torch

    inside = read_checkpoint(checkpoint).get(RECIPE_KEY)
    if not isinstance(inside, dict):
        raise ConfigError(f"{checkpoint}: no recipe beside it or in it; give --config RECIPE")
    check_class_paths(inside)
    return inside


def _logger_first(argv: Sequence[str]) -> list[str]:
    """The logger before its own options, the short word for W&B as the class it stands for."""
    values, rest = take_option(argv, "--trainer.logger")
    return [f"--trainer.logger={WANDB if values[-1] == 'wandb' else values[-1]}", *rest] if values else rest


def _check_flags(argv: Sequence[str], modules: Sequence[str]) -> None:
    """The rule for import paths in recipes holds for flags too."""
    for group in ("--model", "--data", "--trainer.logger", "--trainer.callbacks", "--trainer.strategy"):
        value = _value(argv, group)
        if value and value.replace(".", "_").isidentifier():
            check_class_paths({"class_path": value}, [f"{module}." for module in modules])
