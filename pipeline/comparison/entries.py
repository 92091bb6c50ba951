"""The rows of a comparison, parsed from the command line: blocks, stacks of blocks, grids of options, and slots."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import yaml

from foveate.datasets.files.strict_yaml import parse_yaml
from foveate.pipeline.errors import ConfigError
from foveate.plugins.blocks import RecipeBlock, RecipeSlot, find_offer, parse_spec

OPENING, CLOSING = "([{", ")]}"
CALL = re.compile(r"([^()\[\]{}]+)\((.*)\)")  # name(option=value, ...)
ALTERNATIVES, STACK = "|", "+"
UNCHANGED = "recipe"  # label of the recipe as it is


@dataclass(frozen=True)
class Entry:
    """A row of a comparison.

    Attributes:
        label: Its name in the table.
        spec: What is put into the slot, as a recipe would give it.
        slot: The slot; empty for the recipe as it is.
    """

    label: str
    spec: RecipeSlot
    slot: str = ""

    @property
    def folder(self) -> str:
        """The label as a folder name."""
        return re.sub(r"[^A-Za-z0-9._-]+", "_", self.label).strip("_.") or "block"


def parse_entries(text: str, slots: Sequence[str]) -> list[Entry]:
    """The rows for a comma-separated list of blocks and some slots.

    With one slot, each row has a block in it, and the first row is the baseline. With several, the baseline is the
    recipe as it is, and each other row has one block in one slot.

    Args:
        text: Names, such as se; with options, `{name: lka, kernel: 35}` or `lka(kernel=35)`; of an option several
            values, `lka(kernel=7|35)`, one row for each combination; blocks one after the other, `se+cbam`.
        slots: The slots.

    Raises:
        ConfigError: The list is empty, not readable, or names a row twice.
        PluginError: A block is not installed.

    Example:
        >>> [entry.label for entry in parse_entries("none,lka(kernel=7|35)", ["gate"])]
        ['none', 'lka(kernel=7)', 'lka(kernel=35)']
        >>> [entry.label for entry in parse_entries("se+eca", ["gate", "stage@4"])]
        ['recipe', 'gate: se+eca', 'stage@4: se+eca']
    """
    words = [word.strip() for word in _split(text, ",") if word.strip()]
    blocks = [pair for word in words for pair in _parse(word)]
    if not blocks:
        raise ConfigError("--blocks: name the blocks to compare, between commas (see: foveate plugins list)")
    _refuse_doubled("--blocks", [label for label, _ in blocks])
    _refuse_doubled("--slot", slots)
    if len(slots) == 1:
        return [Entry(label, spec, slots[0]) for label, spec in blocks]
    rows = [Entry(f"{slot}: {label}", spec, slot) for slot in slots for label, spec in blocks]
    return [Entry(UNCHANGED, None), *rows]


def _refuse_doubled(option: str, names: Sequence[str]) -> None:
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        raise ConfigError(f"{option}: named twice: {', '.join(doubled)}")


def _split(text: str, separator: str) -> list[str]:
    """The parts of a text between separators that are not within brackets."""
    parts, depth = [""], 0
    for letter in text:
        depth += (letter in OPENING) - (letter in CLOSING)
        if letter == separator and depth == 0:
            parts.append("")
        else:
            parts[-1] += letter
    return parts


def _parse(word: str) -> Iterator[tuple[str, RecipeSlot]]:
    """The labels and contents that a word stands for: one for each combination of values."""
    stack = [part for one in _parts(word) for part in _split(one, STACK)]
    for chosen in product(*(_variants(part.strip()) for part in stack)):
        label = STACK.join(_label(spec) for spec in chosen)
        yield label, chosen[0] if len(chosen) == 1 else list(chosen)


def _parts(word: str) -> list[str]:
    """The blocks of a YAML list, `[se, cbam]`; a word that is none is itself its only part."""
    return _split(word[1:-1], ",") if word.startswith("[") and word.endswith("]") else [word]


def _variants(part: str) -> list[RecipeBlock]:
    """A block with each combination of the values of its options.

    Raises:
        ConfigError: It is not readable.
        PluginError: It is not installed.
    """
    found = CALL.fullmatch(part)
    name, options = parse_spec(_from_yaml(part) if found is None else _called(part, found[1], found[2]))
    find_offer(name)
    values = [_values(value) for value in options.values()]
    return [
        {"name": name, **dict(zip(options, chosen, strict=True))} if options else name for chosen in product(*values)
    ]


def _called(part: str, name: str, arguments: str) -> dict[str, Any]:
    pairs = [argument.partition("=") for argument in _split(arguments, ",")]
    if any(not (key.strip() and equals and value.strip()) for key, equals, value in pairs):
        raise ConfigError(f"--blocks: not readable: {part!r} (write lka(kernel=35), or {{name: lka, kernel: 35}})")
    options = {key.strip(): value.strip() for key, _, value in pairs}
    read = {key: value if ALTERNATIVES in value else parse_yaml(value) for key, value in options.items()}
    return {"name": name.strip(), **read}


def _from_yaml(part: str) -> str | Mapping[str, Any]:
    try:
        spec = parse_yaml(part)
    except yaml.YAMLError as error:
        raise ConfigError(f"--blocks: not readable: {part!r} (write se, or {{name: lka, kernel: 35}})") from error
    return spec if isinstance(spec, str | Mapping) else part  # YAML does not read null, yes and no as text


def _values(value: Any) -> list[Any]:
    """The alternatives of an option."""
    if isinstance(value, str) and ALTERNATIVES in value:
        return [parse_yaml(one) for one in value.split(ALTERNATIVES)]
    return [value]


def _label(spec: RecipeBlock) -> str:
    name, options = parse_spec(spec)
    said = ",".join(f"{key}={value}" for key, value in options.items())
    return f"{name}({said})" if said else name
