"""Reads the options of a class or function from its signature and docstring."""

from __future__ import annotations

import re
import warnings
from argparse import Action
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_origin

import yaml
from jsonargparse import ArgumentParser, Namespace

from foveate.pipeline.errors import ConfigError

NESTED = "_ActionConfigLoad"  # the class of jsonargparse's action for a group, whose options follow
SHOWN = 60  # characters of a default


@dataclass(frozen=True)
class OptionDoc:
    """An option.

    Attributes:
        name: Its key, with dots for nested ones, such as optimizer.lr.
        kind: What it takes, in words.
        default: Its default.
        required: Whether it has none.
        about: What it does.
    """

    name: str
    kind: str
    default: Any
    required: bool
    about: str

    @property
    def default_text(self) -> str:
        """The default as a recipe writes it."""
        return as_yaml(self.default)


def as_yaml(value: Any) -> str:
    """A value in one line of YAML.

    Example:
        >>> as_yaml(None), as_yaml((0.5, 2.0)), as_yaml({"name": "ohem"}), as_yaml("slide")
        ('null', '[0.5, 2.0]', '{name: ohem}', 'slide')
    """
    plain = _plain(value)
    try:
        text = yaml.safe_dump(plain, default_flow_style=True, width=10**6, sort_keys=False).strip()
    except yaml.YAMLError:  # a default that no recipe can write
        return type(value).__name__
    return text.removesuffix("...").strip()


def _plain(value: Any) -> Any:
    if isinstance(value, Namespace):
        value = value.as_dict()
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, list | tuple | set) else value


def describe(kind: Callable[..., Any], *, leave_out: Iterable[str] = (), first: int = 0) -> list[OptionDoc]:
    """The options of a class or function.

    Args:
        kind: The class or function.
        leave_out: Parameters that somebody else gives.
        first: Parameters that are given by position.

    Raises:
        ConfigError: Its signature cannot be read.
    """
    parser = ArgumentParser(exit_on_error=False)
    skip: set[str | int] = {*leave_out} | ({first} if first else set())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of annotations that cannot be resolved
        try:
            if isinstance(kind, type):
                parser.add_class_arguments(kind, skip=skip, fail_untyped=False)
            else:
                parser.add_function_arguments(kind, skip=skip, fail_untyped=False)
        except (ValueError, TypeError) as error:
            raise ConfigError(f"the options of {kind} cannot be read: {' '.join(str(error).split())}") from error
    return [_doc(action) for action in parser._actions if _is_option(action)]


def _is_option(action: Action) -> bool:
    own = type(action).__name__
    return bool(action.option_strings) and own not in (NESTED, "_HelpAction", "_ActionHelpClassPath")


def _doc(action: Action) -> OptionDoc:
    name = action.option_strings[0].lstrip("-")
    about = " ".join(str(action.help or "").split())
    required = bool(getattr(action, "required", False))
    return OptionDoc(name, kind_text(getattr(action, "_typehint", None)), action.default, required, about)


def kind_text(hint: Any) -> str:
    """A type in the words of a recipe.

    Args:
        hint: The annotation.

    Example:
        >>> kind_text(int | None), kind_text(Literal["whole", "slide"]), kind_text(tuple[int, int])
        ('number|null', 'whole|slide', 'list')
    """
    words: dict[str, None] = {}
    for one in _members(hint):
        if get_origin(one) is Literal:
            words |= dict.fromkeys(map(str, get_args(one)))
        else:
            words[_word(one)] = None
    return "|".join(words)


def _members(hint: Any) -> list[Any]:
    inner = get_args(hint) if get_origin(hint) not in (Literal, list, dict, tuple, type) else ()
    inner = inner if inner and "Union" in str(get_origin(hint)) + type(hint).__name__ else ()
    return [one for member in inner for one in _members(member)] if inner else [hint]


def _word(hint: Any) -> str:
    known = {int: "number", float: "number", bool: "true|false", str: "text", type(None): "null", None: "any"}
    origin = get_origin(hint)
    if any(one in (list, tuple, set, Sequence, Iterable) for one in (origin, hint)):
        return "list"
    if origin is dict or hint is dict:
        return "mapping"
    return known.get(hint) or re.sub(r".*\.", "", getattr(hint, "__name__", str(hint)))
