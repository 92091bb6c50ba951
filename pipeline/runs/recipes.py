"""Recipes: YAML files that describe a run completely; shipped ones are found by name."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

from foveate.datasets.files.strict_yaml import StrictLoader, parse_yaml
from foveate.pipeline.errors import ConfigError
from foveate.pipeline.runs.class_paths import check_class_paths, rename_moved
from foveate.pipeline.runs.data_sets import name_data
from foveate.pipeline.text import quote_indices
from foveate.plugins.hints import did_you_mean, did_you_mean_path

Recipe = dict[str, Any]
SIZES = ("crop", "size", "stride")  # options whose value may be written HEIGHTxWIDTH
SIZE = re.compile(r"(\d+)[xX](\d+)")
WANDB = "foveate.pipeline.loggers.wandb.WandbLogger"
LOGGERS = {  # short words for --trainer.logger
    "wandb": WANDB,
    "tensorboard": "foveate.pipeline.loggers.tensorboard.TensorBoardLog",
    "mlflow": "foveate.pipeline.loggers.mlflow.MLFlowLog",
}
PLUGINS = "plugins"  # entry of a run's recipe: the modules that were given with --plugins


class _Loader(StrictLoader):
    """Strict YAML loader that reads 1e-4 as a number; YAML 1.1 would require 1.0e-4."""


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+$"), list("-+.0123456789")
)


def list_recipes() -> list[str]:
    """Names of the recipes that come with Foveate."""
    folder = files("foveate.pipeline.configs")
    return sorted(entry.name.removesuffix(".yaml") for entry in folder.iterdir() if entry.name.endswith(".yaml"))


def find_recipe(name: str) -> Path:
    """The file of a recipe, given as a path or as the bare name of a shipped one.

    Raises:
        ConfigError: There is neither.
    """
    path = Path(name).expanduser()
    if path.is_file():
        return path
    if name in list_recipes():
        return Path(str(files("foveate.pipeline.configs").joinpath(f"{name}.yaml")))
    hint = did_you_mean_path(path) if path.suffix else did_you_mean(name, list_recipes())
    raise ConfigError(f"no recipe named {name!r}, and no such file{hint} (see: foveate recipes list)")


def read_recipe(path: Path, modules: Sequence[str] = ()) -> Recipe:
    """The content of a recipe file, with short forms expanded.

    Args:
        path: The file.
        modules: Modules given with --plugins, whose classes it may name too.

    Raises:
        ConfigError: It is not YAML, not a mapping, or names a class from outside what is allowed.
    """
    return accept(load_yaml(path), modules)


def load_yaml(path: Path) -> Recipe:
    """The mapping in a recipe file, unchanged.

    Raises:
        ConfigError: It is not YAML, or not a mapping.
    """
    try:
        recipe = _load_yaml(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError, OSError) as error:
        raise ConfigError(f"{path}: not readable as YAML: {' '.join(str(error).split())}") from error
    if not isinstance(recipe, dict):
        raise ConfigError(f"{path}: a recipe is a mapping with model, data and trainer, not a {type(recipe).__name__}")
    return recipe


def accept(recipe: Recipe, modules: Sequence[str] = ()) -> Recipe:
    """A checked recipe, with short forms expanded and current class paths.

    Args:
        recipe: The recipe as read from a file or a checkpoint.
        modules: Modules whose classes it may name.

    Raises:
        ConfigError: It names a class from outside what is allowed.
    """
    recipe = name_data(recipe)
    check_class_paths(recipe, modules)
    accepted: Recipe = rename_moved(spell_out(recipe))
    return accepted


def _load_yaml(text: str) -> Any:
    """Parse YAML; a name with an index, such as encoder.stages[:2], may also be in a list in brackets."""
    try:
        return parse_yaml(text, _Loader)
    except yaml.YAMLError:
        if (quoted := quote_indices(text)) == text:
            raise
        return parse_yaml(quoted, _Loader)


def spell_out(recipe: Recipe) -> Recipe:
    """Replace the words for loggers by the classes they stand for, and sizes such as 512x1024 by lists."""
    if isinstance(recipe.get("model"), dict):
        recipe = {**recipe, "model": _spell_sizes(recipe["model"])}
    trainer = recipe.get("trainer")
    if isinstance(trainer, dict) and "logger" in trainer:
        return {**recipe, "trainer": {**trainer, "logger": _name_loggers(trainer["logger"])}}
    return recipe


def _name_loggers(given: Any) -> Any:
    """A logger, or a list of them, with the classes that short words stand for."""
    if isinstance(given, list):
        return [_name_loggers(each) for each in given]
    return {"class_path": LOGGERS[given]} if isinstance(given, str) and given in LOGGERS else given


def _spell_sizes(node: Any, key: str = "") -> Any:
    if isinstance(node, Mapping):
        return {name: _spell_sizes(value, name) for name, value in node.items()}
    found = SIZE.fullmatch(node) if key in SIZES and isinstance(node, str) else None
    return [int(found[1]), int(found[2])] if found else node


def arguments_of(recipe: Mapping[str, Any], part: str) -> dict[str, Any]:
    """A copy of the arguments that a recipe gives its model or data; empty if it gives none.

    Example:
        >>> arguments_of({"model": {"class_path": "SegmentationTask", "init_args": {"ema": 0.999}}}, "model")
        {'ema': 0.999}
    """
    described = recipe.get(part)
    return dict(described.get("init_args") or {}) if isinstance(described, Mapping) else {}


def class_of(recipe: Mapping[str, Any], part: str) -> str:
    """The class of a recipe's model or data, without its module; empty if it names none."""
    described = recipe.get(part)
    return str(described.get("class_path") or "").rpartition(".")[2] if isinstance(described, Mapping) else ""


def merge(recipes: Iterable[Recipe]) -> Recipe:
    """Merge recipes; later values override earlier ones, and another class starts from its own defaults.

    Example:
        >>> merge([{"trainer": {"devices": 1, "max_steps": 5}}, {"trainer": {"devices": 2}}])
        {'trainer': {'devices': 2, 'max_steps': 5}}
    """
    merged: Recipe = {}
    for recipe in recipes:
        merged = _overlay(merged, recipe)
    return merged


def _overlay(below: Recipe, above: Recipe) -> Recipe:
    if "class_path" in above and above["class_path"] != below.get("class_path"):
        return dict(above)
    out = dict(below)
    for key, value in above.items():
        both = isinstance(value, dict) and isinstance(out.get(key), dict)
        out[key] = _overlay(out[key], value) if both else value
    return out


def dump_recipe(recipe: Mapping[str, Any]) -> str:
    """A recipe as YAML text."""
    return yaml.safe_dump(dict(recipe), sort_keys=False, allow_unicode=True)
