"""Values of a config, each with the file and line that it comes from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from foveate.pipeline.errors import ConfigError

MOST_VALUES = 100_000  # in one value; a large config of mmseg has 2000
DEEPEST = 50  # levels of one value


@dataclass(frozen=True)
class Place:
    """A line of a config file."""

    file: Path
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"

    def error(self, message: str) -> ConfigError:
        """An error about this line.

        Args:
            message: What is wrong with it.
        """
        return ConfigError(f"{self}: {message}")


@dataclass(frozen=True)
class Located:
    """A value and its place. Mappings and lists hold located values.

    Raises:
        ConfigError: It holds too many values, or too many levels of them.
    """

    value: dict[str, Located] | list[Located] | str | int | float | bool | None
    place: Place
    size: int = field(init=False, default=1)
    depth: int = field(init=False, default=1)

    def __post_init__(self) -> None:
        held = self.held()
        object.__setattr__(self, "size", 1 + sum(one.size for one in held))
        object.__setattr__(self, "depth", 1 + max((one.depth for one in held), default=0))
        if self.size > MOST_VALUES or self.depth > DEEPEST:
            raise self.place.error(
                f"a value of {self.size} values in {self.depth} levels; at most {MOST_VALUES} in {DEEPEST} are read"
            )

    def held(self) -> Sequence[Located]:
        """The values directly inside."""
        if isinstance(self.value, Mapping):
            return list(self.value.values())
        return self.value if isinstance(self.value, list) else []

    def plain(self) -> Any:
        """The same without places."""
        if isinstance(self.value, dict):
            return {key: one.plain() for key, one in self.value.items()}
        return [one.plain() for one in self.value] if isinstance(self.value, list) else self.value

    def at(self, key: str) -> Located | None:
        """What a mapping holds under a key, or a list at a position; None if there is nothing.

        Args:
            key: The key, or the position in digits.
        """
        if isinstance(self.value, dict):
            return self.value.get(key)
        if isinstance(self.value, list) and key.isdigit() and int(key) < len(self.value):
            return self.value[int(key)]
        return None
