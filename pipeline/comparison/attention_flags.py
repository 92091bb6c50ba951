"""Flags of a comparison that choose attention change the recipe; the compared slot is then filled over them."""

from __future__ import annotations

import copy
from collections.abc import Sequence

from foveate.datasets.files.strict_yaml import parse_yaml
from foveate.pipeline.errors import ConfigError
from foveate.pipeline.runs.recipes import Recipe

OPTION = "--model.attention"


def take_attention(recipe: Recipe, flags: Sequence[str]) -> tuple[Recipe, list[str]]:
    """The recipe with the attention that flags ask for, and the other flags.

    As flags they would replace the whole attention of every row, and with it the block that is compared.

    Args:
        recipe: The recipe.
        flags: Flags of the recipe: `--model.attention {gate: se}`, `--model.attention.stage=cbam` and others.

    Raises:
        ConfigError: A flag has no value, or one that is no mapping of slots.

    Example:
        >>> recipe, flags = take_attention({"model": {}}, ["--model.attention.gate", "se", "--data.root=x"])
        >>> recipe["model"]["init_args"]["attention"], flags
        ({'gate': 'se'}, ['--data.root=x'])
    """
    changed, others, words = copy.deepcopy(recipe), [], list(flags)
    arguments = changed["model"].setdefault("init_args", {})
    while words:
        name, equals, value = words.pop(0).partition("=")
        if name != OPTION and not name.startswith(f"{OPTION}."):
            others.append(name + equals + value)
            continue
        if not equals:
            if not words:
                raise ConfigError(f"{name} has no value; write {OPTION}.gate se")
            value = words.pop(0)
        if name == OPTION:
            arguments["attention"] = _slots(value)
        else:
            arguments["attention"] = {
                **(arguments.get("attention") or {}),
                name.removeprefix(f"{OPTION}."): parse_yaml(value),
            }
    return changed, others


def _slots(value: str) -> dict[str, object]:
    slots = parse_yaml(value)
    if slots is not None and not isinstance(slots, dict):
        raise ConfigError(f"{OPTION} {value}: accepted: slots and their blocks, such as {{gate: se}}")
    return slots or {}
