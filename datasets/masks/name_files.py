"""Files with names of classes that other tools leave beside masks."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Mapping
from pathlib import Path

from foveate.datasets.errors import DataError
from foveate.datasets.masks.colours import RGB

Named = Mapping[int | RGB, str]


def find_names(root: Path) -> tuple[Named, str]:
    """Names of values or colours, and the file that gives them; nothing if there is none.

    Read are `labelmap.txt` (CVAT, Datumaro), `_classes.csv` (Roboflow), `class_dict.csv` (name and colour),
    `dataset.json` (nnU-Net), `id2label.json` (Hugging Face), and one name a line in `classes.txt`, `labels.txt` or
    `obj.names`.

    Args:
        root: The data set's folder.

    Raises:
        DataError: The file is there and cannot be read.
    """
    for name, read in READERS.items():
        path = next((folder / name for folder in (root, root / "train") if (folder / name).is_file()), None)
        if path is not None:
            try:
                return read(path), name
            except (ValueError, KeyError, IndexError, TypeError, AttributeError, OSError) as error:
                raise DataError(
                    f"{path}: cannot be read as names of classes: {type(error).__name__}: {error}"
                ) from error
    return {}, ""


def _label_map(path: Path) -> Named:
    """Lines of `name:red,green,blue:parts:actions`."""
    named: dict[int | RGB, str] = {}
    for line in _lines(path):
        name, colour = line.split(":")[:2]
        if colour:
            named[_colour(colour.split(","))] = name
    return named


def _colour(parts: list[str]) -> RGB:
    red, green, blue = (int(part) for part in parts)
    return red, green, blue


def _pixel_values(path: Path) -> Named:
    """A table with the columns `Pixel Value` and `Class`."""
    return {int(row[0]): row[1].strip() for row in list(csv.reader(_lines(path), skipinitialspace=True))[1:]}


def _class_colours(path: Path) -> Named:
    """A table with the columns name, r, g, b."""
    rows = list(csv.reader(_lines(path), skipinitialspace=True))
    return {_colour(row[1:4]): row[0].strip() for row in rows[1:]}


def _nnunet(path: Path) -> Named:
    """The mapping `labels`: name -> value, or value -> name in older files."""
    labels = json.loads(path.read_text(encoding="utf-8"))["labels"]
    return {int(str(value)): str(name) for value, name in map(_value_first, labels.items())}


def _value_first(item: tuple[str, object]) -> tuple[object, object]:
    key, value = item
    return (key, value) if key.isdigit() else (value, key)


def _id_to_label(path: Path) -> Named:
    """A mapping value -> name."""
    return {int(key): str(name) for key, name in json.loads(path.read_text(encoding="utf-8")).items()}


def _one_a_line(path: Path) -> Named:
    return dict(enumerate(_lines(path)))


def _lines(path: Path) -> list[str]:
    lines = path.read_text(encoding="utf-8-sig").splitlines()
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


READERS: dict[str, Callable[[Path], Named]] = {
    "labelmap.txt": _label_map,
    "_classes.csv": _pixel_values,
    "class_dict.csv": _class_colours,
    "dataset.json": _nnunet,
    "id2label.json": _id_to_label,
    "classes.txt": _one_a_line,
    "labels.txt": _one_a_line,
    "obj.names": _one_a_line,
}
