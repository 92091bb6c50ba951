"""What differs between two recipes or runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from foveate.pipeline.describing.options import as_yaml
from foveate.pipeline.runs.circumstances import differences, read_parts
from foveate.pipeline.settings.resolving import Source, flattened

ABSENT = "-"  # shown for what one of them does not have
BESIDE = ("first_step", "recipe")  # in a run's circumstances; the recipe is compared itself


@dataclass(frozen=True)
class Difference:
    """A value that differs.

    Attributes:
        name: Its name on the command line; of what is no option, such as the processor, with `run.` before it.
        first: The first one's value, as YAML; None if it has none.
        second: The second one's.
    """

    name: str
    first: str | None
    second: str | None


def compare(first: Mapping[str, Any], second: Mapping[str, Any]) -> list[Difference]:
    """What differs between two mappings.

    Args:
        first: Name -> value.
        second: Name -> value.

    Example:
        >>> compare({"a": 1, "b": 2}, {"a": 1, "b": 3, "c": None})
        [Difference(name='b', first='2', second='3')]
    """
    found = differences(first, second)
    return [Difference(name, _text(first, name), _text(second, name)) for name in found]


def _text(values: Mapping[str, Any], name: str) -> str | None:
    return as_yaml(values[name]) if name in values else None


def circumstances_of(source: Source) -> dict[str, Any]:
    """What a run's numbers depend on besides its recipe: code, libraries, processor, data; empty for a recipe.

    Args:
        source: A recipe or run.
    """
    parts = read_parts(source.run) if source.run else []
    if not parts:
        return {}
    last = {key: value for key, value in parts[-1].items() if key not in BESIDE}
    return flattened({"run": last})


def as_lines(found: list[Difference], first: str, second: str) -> list[str]:
    """The differences as aligned columns.

    Args:
        found: The differences.
        first: Name of the first.
        second: Name of the second.
    """
    if not found:
        return [f"{first} and {second} do not differ"]
    rows = [("", first, second)]
    rows += [(one.name, _shown(one.first), _shown(one.second)) for one in found]
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
    return [f"{name:<{widths[0]}}  {one:<{widths[1]}}  {other}".rstrip() for name, one, other in rows]


def _shown(value: str | None) -> str:
    return ABSENT if value is None else value
