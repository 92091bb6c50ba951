"""Flags of a command line from the arguments of a Python call."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from foveate.pipeline.errors import ConfigError

PARTS = ("model", "data", "trainer")
# Options with options of their own; other mappings, such as network_options, are given as a whole.
GROUPS = ("attention", "optimizer", "schedule", "inference")


def flags_of(overrides: Mapping[str, Any]) -> list[str]:
    """The flags that say what arguments say.

    Args:
        overrides: `model`, `data` and `trainer` with a mapping each; other names are options of the command.

    Raises:
        ConfigError: model, data or trainer is no mapping.

    Example:
        >>> flags_of({"model": {"attention": {"gate": "se"}}, "trainer": {"max_steps": 5}, "seed_everything": 1})
        ['--model.attention.gate=se', '--trainer.max_steps=5', '--seed_everything=1']
    """
    return [f"--{name}={_word(value)}" for name, value in _flat(overrides)]


def _flat(overrides: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in overrides.items():
        if name in PARTS and not isinstance(value, Mapping):
            raise ConfigError(f"{name} is a mapping of its options, such as {name}={{...}}, not {value!r}")
        if name in PARTS:
            yield from _options(name, value)
        else:
            yield name, value


def _options(part: str, options: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in options.items():
        if name in GROUPS and isinstance(value, Mapping):
            yield from ((f"{part}.{name}.{inner}", one) for inner, one in value.items())
        else:
            yield f"{part}.{name}", value


def _word(value: Any) -> str:
    """A value as a flag takes it: texts as they are, everything else as YAML."""
    if isinstance(value, str):
        return value
    if value is None or isinstance(value, bool | int | float | list | tuple | Mapping):
        plain = list(value) if isinstance(value, tuple) else dict(value) if isinstance(value, Mapping) else value
        text: str = yaml.safe_dump(plain, default_flow_style=True, width=100_000, sort_keys=False)
        return text.removesuffix("...\n").strip()
    return str(value)  # a path
