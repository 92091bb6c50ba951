"""The blocks that are compared, parsed from the command line."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import yaml

from foveate.datasets.files.strict_yaml import parse_yaml
from foveate.pipeline.errors import ConfigError
from foveate.plugins.blocks import RecipeBlock, find_offer, parse_spec

OUTSIDE_BRACES = re.compile(r",(?![^{\[]*[}\]])")


@dataclass(frozen=True)
class Entry:
    """A block of a comparison.

    Attributes:
        label: Name of its row in the table.
        spec: The block as a recipe would give it.
    """

    label: str
    spec: RecipeBlock

    @property
    def folder(self) -> str:
        """The label as a folder name."""
        return re.sub(r"[^A-Za-z0-9._-]+", "_", self.label).strip("_.") or "block"


def parse_entries(text: str) -> list[Entry]:
    """The blocks of a comma-separated list, such as `none,se,{name: lka, kernel: 35}`.

    Raises:
        ConfigError: The list is empty, not readable, or names a block twice.
        PluginError: A block is not installed.

    Example:
        >>> [entry.label for entry in parse_entries("none,{name: lka, kernel: 35}")]
        ['none', 'lka(kernel=35)']
    """
    entries = [_parse(word.strip()) for word in OUTSIDE_BRACES.split(text) if word.strip()]
    labels = [entry.label for entry in entries]
    if not entries:
        raise ConfigError("--blocks: name the blocks to compare, between commas (see: foveate plugins list)")
    doubled = sorted({label for label in labels if labels.count(label) > 1})
    if doubled:
        raise ConfigError(f"--blocks: named twice: {', '.join(doubled)}")
    return entries


def _parse(word: str) -> Entry:
    try:
        spec = parse_yaml(word)
    except yaml.YAMLError as error:
        raise ConfigError(f"--blocks: not readable: {word!r} (write se, or {{name: lka, kernel: 35}})") from error
    if not isinstance(spec, str | Mapping):
        spec = word  # YAML does not read null, yes and no as text
    name, options = parse_spec(spec)
    find_offer(name)
    said = ",".join(f"{key}={value}" for key, value in options.items())
    return Entry(f"{name}({said})" if said else name, spec if isinstance(spec, str) else dict(spec))
