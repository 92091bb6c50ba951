"""The classes of a data set, and what masks hold for each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from foveate.datasets.errors import DataConfigError
from foveate.datasets.labels import IGNORE, INVALID, LabelSet, Table
from foveate.datasets.text import few

RGB = tuple[int, int, int]
Holds = Literal["values", "colours", "binary", "files"]  # numbers, RGB, black and white, a file for each class
Overlap = Literal["last", "first", "ignore", "error"]


@dataclass(frozen=True, kw_only=True)
class MaskClass:
    """One class, and what stands for it in masks.

    Attributes:
        name: Its name.
        values: Numbers, 0 to 65535, that mean it; the first is written into predictions.
        colours: RGB colours, 0-255; the first is used in pictures. With masks that hold colours all of them mean it.
        files: With one file for each class: names of its files or folders, without ending; its own name if empty.
    """

    name: str
    values: tuple[int, ...]
    colours: tuple[RGB, ...]
    files: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ClassTable:
    """The classes of a data set in the order of their train ids, and how masks are read.

    Attributes:
        name: Short name of the data set.
        classes: The classes.
        masks: What masks hold: `values` (grey or palette), `colours` (RGB), `binary` (black and white, also blurred),
            or `files` (one file for each class).
        ignore_values: Numbers in masks whose pixels neither train nor score.
        ignore_colours: Colours in masks whose pixels neither train nor score.
        rest: With `files`: the class of pixels that no file covers; `ignore` leaves them out.
        overlap: With `files`: which class wins where two files cover a pixel: the `last` or the `first` of the list;
            `ignore` leaves the pixel out, `error` refuses the mask.

    Raises:
        DataConfigError: Two classes share a name, a value, a colour or a file, or there are too many.
    """

    name: str
    classes: tuple[MaskClass, ...]
    masks: Holds = "values"
    ignore_values: tuple[int, ...] = (IGNORE,)
    ignore_colours: tuple[RGB, ...] = ()
    rest: str = "ignore"
    overlap: Overlap = "last"

    def __post_init__(self) -> None:
        if not 1 <= len(self.classes) < INVALID:
            raise DataConfigError(f"classes: 1 to {INVALID - 1} classes, not {len(self.classes)}")
        _refuse_doubled("name", [one.name for one in self.classes])
        _refuse_doubled("value", [value for one in self.classes for value in one.values])
        if self.masks == "colours":
            _refuse_doubled("colour", [colour for one in self.classes for colour in one.colours])
        for one in self.classes:
            if both := set(one.values) & set(self.ignore_values) if self.masks == "values" else set():
                raise DataConfigError(f"classes: {both.pop()} is a value of {one.name!r} and stands under ignore too")
        names = [one.name for one in self.classes]
        if self.masks == "files" and self.rest not in ("ignore", *names):
            raise DataConfigError(f"rest is ignore or a class ({few(names)}), not {self.rest!r}")

    def label_set(self) -> LabelSet:
        """Names, colours and ids, as tasks and pictures need them."""
        return LabelSet(
            name=self.name,
            names=tuple(one.name for one in self.classes),
            colours=tuple(one.colours[0] for one in self.classes),
            ids=tuple(one.values[0] for one in self.classes),
            void_ids=tuple(sorted(self.ignore_values)),
        )

    def value_table(self) -> Table:
        """Value in a mask -> train id (uint8), 255 for ignored values, 254 for those that stand for nothing."""
        listed = [*(value for one in self.classes for value in one.values), *self.ignore_values]
        table = np.full(max(256, *(value + 1 for value in listed)), INVALID, dtype=np.uint8)
        table[list(self.ignore_values)] = IGNORE
        for number, one in enumerate(self.classes):
            table[list(one.values)] = number
        return table


def _refuse_doubled(what: str, items: Sequence[Any]) -> None:
    seen: set[Any] = set()
    for item in items:
        if item in seen:
            raise DataConfigError(f"classes: the {what} {item!r} stands for two classes")
        seen.add(item)
