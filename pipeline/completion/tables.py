"""The tables in a completion script: which options a command has, and what each takes, as shell code."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

from foveate.pipeline.completion.spec import CommandSpec, Tree, Values

FILES = "@files"  # among values: paths too
RECIPE = "*"  # instead of a command: of every one that takes the options of a recipe
Row = tuple[str, str, str]  # command, option or place, its values


def value_rows(tree: Tree) -> Iterator[Row]:
    """What each option and each positional argument takes; those that take nothing known are left out.

    Args:
        tree: Everything that can be typed.
    """
    for option in tree.recipe:
        if words := _words(option.values):
            yield RECIPE, option.name, words
    for spec in tree.specs:
        for option in spec.options:
            if words := _words(option.values):
                yield spec.path, option.name, words
        for place, values in enumerate(spec.places):
            if words := _words(values):
                yield spec.path, str(place), words


def _words(values: Values) -> str:
    return " ".join([*values.words, *([FILES] if values.files else [])])


def switch_rows(tree: Tree) -> list[tuple[str, str]]:
    """Command and option of all that stand without a value.

    Args:
        tree: Everything that can be typed.
    """
    return [(spec.path, option.name) for spec in tree.specs for option in spec.options if option.switch]


def grouped(rows: Iterable[Row]) -> dict[str, list[tuple[str, str]]]:
    """Values -> every command and option that takes them.

    Args:
        rows: Command, option, values.
    """
    found: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for command, option, words in rows:
        found[words].append((command, option))
    return dict(sorted(found.items()))


def recipe_commands(tree: Tree) -> list[str]:
    """The commands that take the options of a recipe.

    Args:
        tree: Everything that can be typed.
    """
    return [spec.path for spec in tree.specs if spec.recipe]


def names(spec: CommandSpec | Tree) -> str:
    """The options of a command, or of a recipe, between blanks.

    Args:
        spec: The command; a tree for the options of a recipe.
    """
    options = spec.recipe if isinstance(spec, Tree) else spec.options
    return " ".join(option.name for option in options)
