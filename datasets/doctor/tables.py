"""How well a table of classes fits the numbers that masks hold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from foveate.datasets.labels import CAMVID, CITYSCAPES, IGNORE, INVALID, LabelSet, Table

KNOWN = (CITYSCAPES, CAMVID)
BETTER = 0.2  # share of the pixels that another table has to label more of
MANY, SOME = 8, 5  # classes that another table has to find; the fewer, where masks hold its 255 too


@dataclass(frozen=True)
class Fit:
    """How a table fits.

    Attributes:
        classes: How many classes occur.
        void: Share of the pixels that it ignores.
        undefined: Share of the pixels that stand for no class.
    """

    classes: int
    void: float
    undefined: float


def fit_of(stored: Mapping[int, int], table: Table) -> Fit:
    """How a table fits numbers.

    Args:
        stored: Number -> pixels.
        table: Stored number -> train id.
    """
    ids = {value: int(table[value]) if 0 <= value < len(table) else INVALID for value in stored}
    whole = max(1, sum(stored.values()))
    return Fit(
        classes=len({number for number in ids.values() if number not in (IGNORE, INVALID)}),
        void=sum(stored[value] for value, number in ids.items() if number == IGNORE) / whole,
        undefined=sum(stored[value] for value, number in ids.items() if number == INVALID) / whole,
    )


def better_table(stored: Mapping[int, int], table: Table, labels: LabelSet) -> str | None:
    """Another table of a known set with as many classes, which fits clearly better; None if there is none.

    Args:
        stored: Number -> pixels.
        table: The table that is used: stored number -> train id.
        labels: The classes.
    """
    own = fit_of(stored, table)
    for name, other in _others(labels):
        fit = fit_of(stored, other)
        enough = fit.classes >= MANY or (fit.classes >= SOME and IGNORE in stored)
        if fit.undefined or fit.void > own.void + own.undefined - BETTER or not enough:
            continue
        if own.undefined or own.classes * 2 <= fit.classes:
            return name
    return None


def _others(labels: LabelSet) -> Iterator[tuple[str, Table]]:
    known = [labels, *(one for one in KNOWN if one.name != labels.name and len(one) == len(labels))]
    for one in known:
        yield f"the label ids of {one.name}", one.to_train_ids()
        yield f"the train ids of {one.name} (0 to {len(one) - 1})", one.check_train_ids()


def classes_of(table: Table) -> list[int]:
    """Stored numbers that stand for classes.

    Args:
        table: Stored number -> train id.
    """
    return [int(value) for value in np.flatnonzero(table < INVALID)]


def undefined_in(stored: Mapping[int, int], table: Table) -> list[int]:
    """Stored numbers that stand for nothing, in order.

    Args:
        stored: Number -> pixels.
        table: Stored number -> train id.
    """
    return sorted(value for value in stored if not 0 <= value < len(table) or table[value] == INVALID)
