"""A recipe with every default and flag filled in, as a training would take it; nothing is built or read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from foveate.datasets.files.strict_yaml import parse_yaml
from foveate.pipeline.command_line import PLUGINS as PLUGINS_FLAG
from foveate.pipeline.errors import ConfigError
from foveate.pipeline.runs.directories import CHECKPOINTS, RECIPE
from foveate.pipeline.runs.recipes import PLUGINS, Recipe, accept, find_recipe, load_yaml
from foveate.pipeline.runs.remembered import recall, trusted_modules
from foveate.pipeline.training.flags import spell_out_flags, take_option
from foveate.pipeline.training.parsing import parse_settings
from foveate.pipeline.training.request import Request
from foveate.plugins.hints import did_you_mean_path
from foveate.plugins.manager import installed_plugins
from foveate.plugins.selection import split_names

FIRST = ("seed_everything", "model", "data", "trainer")  # the order in which recipes are written
GIVEN = ("labels", "in_channels")  # the data module gives them


@dataclass(frozen=True)
class Source:
    """A recipe as it was named.

    Attributes:
        name: As it was named.
        recipe: What the file holds, with short forms expanded.
        run: The run directory it comes from, if any.
        modules: Modules that it needs.
    """

    name: str
    recipe: Recipe
    run: Path | None
    modules: list[str]


def open_source(name: str, plugins: Sequence[str] = ()) -> Source:
    """The recipe that a name means.

    Args:
        name: A shipped recipe, a file, a run directory, or a checkpoint in one.
        plugins: The values of --plugins.

    Raises:
        ConfigError: There is none.
    """
    run = _run(Path(name).expanduser())
    if run is None and Path(name).expanduser().is_dir():
        raise ConfigError(f"{name}: no run directory: it holds no {RECIPE}")
    if run is None and "/" in name and not Path(name).expanduser().exists():
        raise ConfigError(f"{name}: no such recipe or run{did_you_mean_path(name)} (see: foveate recipes list)")
    file = run / RECIPE if run else find_recipe(name)
    modules = [one for given in plugins for one in split_names(given)]
    found = load_yaml(file)
    modules += recall(found, modules)
    if modules:
        installed_plugins(modules)
    recipe = accept(found, trusted_modules(modules))
    recipe.pop(PLUGINS, None)
    return Source(name, recipe, run, modules)


def _run(path: Path) -> Path | None:
    """The run directory that a path means; None if it means none."""
    if path.is_file() and path.parent.name == CHECKPOINTS:
        path = path.parent.parent
    return path if path.is_dir() and (path / RECIPE).is_file() else None


def resolve(source: Source, flags: Sequence[str] = ()) -> Recipe:
    """A recipe with all defaults and flags.

    Args:
        source: The recipe.
        flags: Flags of the recipe, as in a training.

    Raises:
        ConfigError: It names an option that does not exist, or a value that is not accepted.
    """
    _, rest = take_option(flags, PLUGINS_FLAG)
    given = spell_out_flags(rest, trusted_modules(source.modules))
    request = Request(command="fit", recipe=source.recipe, name=source.name, flags=given, modules=source.modules)
    resolved: Recipe = parse_yaml(parse_settings(request))
    for name in GIVEN:
        (resolved.get("model", {}).get("init_args") or {}).pop(name, None)
    return {key: resolved[key] for key in (*FIRST, *resolved) if key in resolved and key != "config"}


def flattened(recipe: Recipe, before: str = "") -> dict[str, Any]:
    """The values of a recipe by their names on the command line.

    Args:
        recipe: A recipe, or a part of one.
        before: What the names begin with.

    Example:
        >>> flattened({"model": {"class_path": "Task", "init_args": {"ema": 0.9, "loss": {"name": "dice"}}}})
        {'model': 'Task', 'model.ema': 0.9, 'model.loss.name': 'dice'}
    """
    found: dict[str, Any] = {}
    for key, value in recipe.items():
        name = before if key in ("init_args", "class_path") and before else f"{before}.{key}".lstrip(".")
        if isinstance(value, dict) and value:
            found |= flattened(value, name)
        else:
            found[name] = value
    return found
