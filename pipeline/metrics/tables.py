"""Tables of figures: what a metric tells beside the one number that is logged."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

Value = float | int  # a share in [0, 1], NaN where it is undefined; or a count


@dataclass(frozen=True)
class FigureTable:
    """A named table of figures, such as one line for each class or for each band of distance.

    Attributes:
        name: Its key in a score file.
        meaning: What the figures are, in one line.
        columns: What each figure of a row is.
        rows: The name of each row and its figures: floats are shares in [0, 1], integers are counts.
        label: What the rows are, such as class.
        means: Further rows, below the others: means over them.
        lower_is_better: Whether the rows with the highest first figure are the worst.
    """

    name: str
    meaning: str
    columns: Sequence[str]
    rows: Sequence[tuple[str, Sequence[Value]]]
    label: str = "class"
    means: Sequence[tuple[str, Sequence[Value]]] = ()
    lower_is_better: bool = False

    def as_json(self) -> dict[str, Any]:
        """The table as a score file holds it; undefined figures are null."""
        content = {"meaning": self.meaning, "label": self.label, "lower_is_better": self.lower_is_better}
        return {**content, "columns": list(self.columns), "rows": _as_json(self.rows), "means": _as_json(self.means)}

    @classmethod
    def from_json(cls, name: str, content: Mapping[str, Any]) -> FigureTable:
        """The table of `as_json`.

        Args:
            name: Its key.
            content: What `as_json` returned.
        """
        rows, means = (_from_json(content[part]) for part in ("rows", "means"))
        lower_is_better = content["lower_is_better"]
        return cls(name, content["meaning"], content["columns"], rows, content["label"], means, lower_is_better)


@runtime_checkable
class HasTables(Protocol):
    """A metric that has tables beside its scalar."""

    def tables(self, names: Sequence[str]) -> Sequence[FigureTable]:
        """The tables of what was counted so far.

        Args:
            names: The names of the classes.
        """
        ...


def _as_json(rows: Sequence[tuple[str, Sequence[Value]]]) -> dict[str, list[Value | None]]:
    return {name: [_number(value) for value in values] for name, values in rows}


def _from_json(rows: Mapping[str, Sequence[Value | None]]) -> list[tuple[str, list[Value]]]:
    return [(name, [math.nan if value is None else value for value in values]) for name, values in rows.items()]


def _number(value: Value) -> Value | None:
    if isinstance(value, int):
        return value
    return None if math.isnan(value) else round(value, 6)
