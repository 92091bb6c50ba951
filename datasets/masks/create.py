"""The reader of masks that a table of classes describes."""

from __future__ import annotations

from collections.abc import Sequence

from foveate.datasets.class_table import ClassTable
from foveate.datasets.errors import DataConfigError
from foveate.datasets.labels import IGNORE, ignore_ids
from foveate.datasets.masks.binary import BinaryMasks
from foveate.datasets.masks.class_files import ClassFileMasks
from foveate.datasets.masks.colours import ColourMasks
from foveate.datasets.masks.reader import MaskReader
from foveate.datasets.masks.values import ValueMasks


def create_mask_reader(table: ClassTable, ignored: Sequence[int] = ()) -> MaskReader:
    """A reader of masks.

    Args:
        table: The classes, and what masks hold.
        ignored: Further values in masks that are ignored.

    Raises:
        DataConfigError: Values are to be ignored where masks hold none.
    """
    if table.masks == "values":
        return ValueMasks(ignore_ids(table.value_table(), ignored))
    if ignored:
        raise DataConfigError(
            f"--data.ignore lists values, and masks here hold {table.masks}; list what is ignored under `ignore` in "
            "classes.yaml"
        )
    if table.masks == "colours":
        colours = dict.fromkeys(table.ignore_colours, IGNORE)
        for number, one in enumerate(table.classes):
            colours |= dict.fromkeys(one.colours, number)
        return ColourMasks(colours)
    return _class_files(table) if table.masks == "files" else BinaryMasks()


def _class_files(table: ClassTable) -> ClassFileMasks:
    names = {
        name.lower(): number
        for number, one in enumerate(table.classes)
        for name in (one.files or ([] if one.name == table.rest else [one.name]))
    }
    numbers = {one.name: number for number, one in enumerate(table.classes)}
    return ClassFileMasks(names, rest=numbers.get(table.rest, IGNORE), overlap=table.overlap)
