"""Reads from the parsers of all commands what can be typed."""

from __future__ import annotations

import importlib
import warnings
from argparse import Action
from collections.abc import Callable, Iterable, Mapping
from itertools import chain
from pathlib import Path
from typing import Any, Literal, Protocol, get_args, get_origin

from foveate.pipeline.command_line import FunctionParser, function_parser, parser_of
from foveate.pipeline.completion.names import known_values
from foveate.pipeline.completion.spec import CommandSpec, Option, Tree, Values, brief
from foveate.pipeline.usual_options import COMMON, OPTIONS

RECIPE = ("--data", "--model", "--trainer")
SWITCHES = ("--dry_run", "--json", "--resume")  # of the training commands, taken before their parser
GIVEN = ("--model.labels", "--model.in_channels")  # the data module gives them
Known = Mapping[str, Values]


class Listed(Protocol):
    """An entry of the table of commands."""

    @property
    def summary(self) -> str:
        """Its purpose."""

    @property
    def target(self) -> str | None:
        """Function or mapping that runs it; None for the trainer's own commands."""


def collect(table: Mapping[str, Listed]) -> Tree:
    """Everything that can be typed after `foveate`; imports every command and class.

    Args:
        table: First word -> command.
    """
    known = known_values()
    recipe = recipe_options(known)
    groups: dict[str, dict[str, str]] = {}
    specs: list[CommandSpec] = []
    for name, command in table.items():
        if command.target is None:
            specs.append(_training(name, command.summary, known))
            continue
        module, _, attribute = command.target.partition(":")
        target = getattr(importlib.import_module(f"foveate.{module}"), attribute)
        if callable(target):
            specs.append(_spec(name, command.summary, parser_of(target), known))
            continue
        groups[name] = {sub: _first_line(function) for sub, function in target.items()}
        for sub, function in target.items():
            parser = function_parser(f"foveate {name} {sub}", function)
            specs.append(_spec(f"{name} {sub}", groups[name][sub], parser, known))
    return Tree({name: command.summary for name, command in table.items()}, groups, tuple(specs), recipe)


def _first_line(function: Callable[..., None]) -> str:
    return brief((function.__doc__ or "").strip().splitlines()[0])


def _spec(path: str, about: str, parser: FunctionParser, known: Known) -> CommandSpec:
    options = [one for action in parser._actions for one in _options(action, known, path, parser.switches)]
    places = [_values(action, known, path) for action in parser._actions if not action.option_strings]
    return CommandSpec(path, about, tuple(sorted(options, key=_by_name)), tuple(places), recipe=parser.takes_recipe)


def _training(name: str, about: str, known: Known) -> CommandSpec:
    """fit, validate, test and predict: what is taken before the parser, and what belongs to no part of a recipe."""
    options = {"--help": Option("--help", "Usual options and examples", switch=True)}
    options["--help-all"] = Option("--help-all", "Every option", switch=True)
    for usage, meaning in (*COMMON, *OPTIONS[name]):
        option = usage.split()[0]
        if not _is_of_recipe(option):
            values = known.get(option.lstrip("-"), Values(files=True))
            options[option] = Option(option, brief(meaning), values, switch=option in SWITCHES)
    for action in _recipe_parser()._actions if name == "fit" else ():
        for one in _options(action, known):
            if not _is_of_recipe(one.name):
                options.setdefault(one.name, one)
    return CommandSpec(name, about, tuple(sorted(options.values(), key=_by_name)), recipe=True)


def recipe_options(known: Known) -> tuple[Option, ...]:
    """The options of a recipe: of the trainer, of both tasks, and of every data set that can be imported.

    Args:
        known: What options take, by name.
    """
    options: dict[str, Option] = {}
    for action in _recipe_parser()._actions:
        for one in _options(action, known):
            if _is_of_recipe(one.name) and one.name not in GIVEN:
                options.setdefault(one.name, one)
    for usage, meaning in chain(*OPTIONS.values()):  # also of data sets that are no record, such as --data.images
        if _is_of_recipe(option := usage.split()[0]):
            options.setdefault(option, Option(option, brief(meaning), Values(files=True)))
    for name, values in known.items():
        option = f"--{name}"
        if _is_of_recipe(option):
            before = options.get(option, Option(option))
            options[option] = Option(option, before.about, values)
    return tuple(sorted(options.values(), key=_by_name))


def _is_of_recipe(option: str) -> bool:
    return option.partition(".")[0] in RECIPE


def _recipe_parser() -> Any:
    """A parser of the options of all tasks, data sets and loggers side by side."""
    import lightning.pytorch as L

    from foveate.pipeline.loggers.wandb import WandbLogger
    from foveate.pipeline.training.lightning_cli import RecipeParser
    from foveate.pipeline.training.run_options import add_run_options

    parser = RecipeParser(prog="foveate fit")
    parser.add_lightning_class_args(L.Trainer, "trainer")
    add_run_options(parser)
    for key, kind in (*_tasks(), *_data_sets(), ("trainer.logger", WandbLogger)):
        own = RecipeParser(prog="foveate fit")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of annotations that cannot be resolved
            own.add_class_arguments(kind, key, fail_untyped=False)
        parser._actions.extend(own._actions)
    return parser


def _tasks() -> list[tuple[str, type]]:
    from foveate.pipeline.classification import ClassificationTask
    from foveate.pipeline.segmentation import SegmentationTask

    return [("model", SegmentationTask), ("model", ClassificationTask)]


def _data_sets() -> list[tuple[str, type]]:
    """The classes of all data sets; one that cannot be imported is left out."""
    from foveate.pipeline.runs.data_sets import load_data_set, offered_data_sets
    from foveate.plugins.errors import PluginError

    found: list[tuple[str, type]] = []
    for offer in offered_data_sets():
        try:
            found.append(("data", load_data_set(offer)))
        except PluginError:
            continue
    return found


def _options(action: Action, known: Known, path: str = "", switches: Iterable[str] = ()) -> list[Option]:
    """The option of a parser's action; none where it only belongs to the parser's workings."""
    names = [name for name in action.option_strings if name.startswith("--") and not name.endswith(("+", ".help"))]
    about = "" if action.help in (None, "==SUPPRESS==") else brief(str(action.help))
    own = type(action).__name__
    if own == "_ActionConfigLoad":  # a group, whose options follow
        return []
    return [
        Option(name, about, _values(action, known, path), switch=own == "_HelpAction" or name in switches)
        for name in names
    ]


def _values(action: Action, known: Known, path: str = "") -> Values:
    """What an action takes: by its name, else by its type."""
    name = next((option for option in action.option_strings if option.startswith("--")), action.dest).lstrip("-")
    hints = list(_flat(getattr(action, "_typehint", None)))
    for key in (f"{path} {name}", name):
        if key in known and bool not in hints:
            return known[key]
    words = [str(value) for hint in hints if get_origin(hint) is Literal for value in get_args(hint)]
    words += ["true", "false"] * (bool in hints)
    return Values(tuple(dict.fromkeys(words)), files=not words and any(hint in (str, Path) for hint in hints))


def _flat(hint: Any) -> Iterable[Any]:
    """The members of a union, however deep; the type itself if it is none."""
    inner = [] if get_origin(hint) in (Literal, list, dict, tuple) else get_args(hint)
    return [one for member in inner for one in _flat(member)] if inner else [hint]


def _by_name(option: Option) -> str:
    return option.name
