"""A recipe to start from: every option of its classes, explained; those that it leaves alone are comments."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from foveate.pipeline.describing.options import OptionDoc, as_yaml
from foveate.pipeline.describing.topics import find_topic
from foveate.pipeline.runs.recipes import Recipe, arguments_of
from foveate.pipeline.usual_options import COMMON, OPTIONS

WIDTH = 110
STEP = "  "
TRAINER = "--trainer."
MISSING = object()


def write_template(recipe: Recipe, heading: Sequence[str]) -> str:
    """The text of a commented recipe, which means the same as the recipe.

    Args:
        recipe: The recipe, with short forms expanded.
        heading: Comment lines before it, without `#`.
    """
    seed = as_yaml(recipe.get("seed_everything", 0))
    lines = [*(f"# {line}".rstrip() for line in heading), f"seed_everything: {seed}"]
    for part in ("model", "data"):
        lines += ["", f"{part}:", f"{STEP}class_path: {recipe[part]['class_path']}", f"{STEP}init_args:"]
        options = find_topic(part, recipe).options
        lines += _block(options, arguments_of(recipe, part), STEP * 2)
    lines += ["", "trainer:", *_block(_trainer_options(), recipe.get("trainer") or {}, STEP)]
    known = ("seed_everything", "model", "data", "trainer")
    lines += [f"{key}: {as_yaml(value)}" for key, value in recipe.items() if key not in known]
    return "\n".join(lines) + "\n"


def _trainer_options() -> list[OptionDoc]:
    """The usual options of the trainer, with our own words for them."""
    usual = {usage.split()[0].removeprefix(TRAINER): meaning for usage, meaning in (*COMMON, *OPTIONS["fit"])}
    return [replace(one, about=usual[one.name]) for one in find_topic("trainer", {}).options if one.name in usual]


def _block(options: Sequence[OptionDoc], given: Mapping[str, Any], indent: str) -> list[str]:
    """The lines of one mapping: options by their first word, groups as mappings of their own."""
    lines: list[str] = []
    left = dict(given)
    for name, members in _grouped(options).items():
        value = left.pop(name, MISSING)
        if len(members) == 1 and members[0].name == name:
            lines += [*_comment(members[0].about, f"{indent}# "), _line(members[0], value, indent)]
            continue
        inner = [replace(one, name=one.name.partition(".")[2]) for one in members]
        if value is MISSING:
            lines += [f"{indent}#{name}:", *_left_alone(inner, f"{indent}#{STEP}")]
        else:
            lines += [f"{indent}{name}:", *_block(inner, value if isinstance(value, Mapping) else {}, indent + STEP)]
    return [*lines, *(f"{indent}{key}: {as_yaml(value)}" for key, value in left.items())]


def _left_alone(options: Sequence[OptionDoc], indent: str) -> list[str]:
    """A group that a recipe does not mention, as comments."""
    lines: list[str] = []
    for one in options:
        lines += [*_comment(one.about, f"{indent}# "), f"{indent}{one.name}: {one.default_text}"]
    return lines


def _grouped(options: Sequence[OptionDoc]) -> dict[str, list[OptionDoc]]:
    groups: dict[str, list[OptionDoc]] = {}
    for option in options:
        groups.setdefault(option.name.partition(".")[0], []).append(option)
    return groups


def _comment(text: str, indent: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False)


def _line(option: OptionDoc, value: Any, indent: str) -> str:
    if value is MISSING:
        return f"{indent}#{option.name}: {option.default_text}"
    return f"{indent}{option.name}: {as_yaml(value)}"
