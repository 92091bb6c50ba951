"""Folders of images in Hugging Face's layout `imagefolder`: a folder for each class, or a list of files with labels."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from foveate.datasets.errors import DataError
from foveate.datasets.folders.class_splits import find_class_splits
from foveate.datasets.folders.names import SPLITS
from foveate.datasets.folders.tree import walk
from foveate.datasets.tables.features import Feature, Features
from foveate.datasets.tables.unpacking import Rows
from foveate.datasets.text import few

LISTS = ("metadata.jsonl", "metadata.csv")
FILE = "file_name"
IMAGE = "image"  # the column that `file_name` becomes
Row = Mapping[str, Any]


def find_lists(root: Path) -> list[Path]:
    """The lists of images in a folder and the folders in it.

    Args:
        root: The data set's folder.
    """
    found = [path for name in LISTS for pattern in (name, f"*/{name}", f"*/*/{name}") for path in root.glob(pattern)]
    return sorted(path for path in found if not any(part.startswith(".") for part in path.relative_to(root).parts))


@dataclass
class Listed:
    """Images and what is listed with them.

    Attributes:
        splits: The rows of each split; names of files are relative to the data set's folder.
        files: The columns that name files.
    """

    splits: dict[str, list[Row]] = field(default_factory=dict)
    files: set[str] = field(default_factory=set)


def read_lists(root: Path, lists: Sequence[Path]) -> Listed:
    """The rows of each split, with the names of files relative to the root.

    The split is that of the list's folder, or else of the first folder in a file's name, or else train.

    Args:
        root: The data set's folder.
        lists: The lists of images.

    Raises:
        DataError: A list is damaged, or names a file that does not exist or lies outside of the root.
    """
    listed = Listed()
    for path in lists:
        folder = path.parent.relative_to(root).as_posix()
        before = "" if folder == "." else f"{folder}/"
        for row in _read(path):
            files = {_column(key): f"{before}{row[key]}" for key in row if _is_file(key)}
            rest = {key: value for key, value in row.items() if not _is_file(key)}
            first = files[IMAGE].split("/")
            split = next((SPLITS[part.lower()] for part in first[:-1] if part.lower() in SPLITS), "train")
            listed.splits.setdefault(split, []).append({**files, **rest})
            listed.files |= files.keys()
    _check_files(root, listed)
    return listed


def _is_file(key: str) -> bool:
    return key == FILE or key.endswith(f"_{FILE}")


def _column(key: str) -> str:
    """The column of a list's key, as Hugging Face's library has it: `file_name` -> image, `mask_file_name` -> mask."""
    return IMAGE if key == FILE else key.removesuffix(f"_{FILE}")


def _read(path: Path) -> list[Row]:
    try:
        text = path.read_text(encoding="utf-8-sig")
        if path.suffix == ".csv":
            rows: list[Row] = list(csv.DictReader(text.splitlines()))
        else:
            rows = [json.loads(line) for line in text.splitlines() if line.strip()]
        missing = [number for number, row in enumerate(rows, start=1) if not isinstance(row.get(FILE), str)]
    except (OSError, ValueError, AttributeError, csv.Error) as error:
        raise DataError(f"{path}: cannot be read as a list of images: {type(error).__name__}: {error}") from error
    if missing:
        raise DataError(f"{path}: row {missing[0]} has no {FILE}")
    return rows


def _check_files(root: Path, listed: Listed) -> None:
    """Refuse files that do not exist, or that lie outside of the data set's folder."""
    names = [row[key] for rows in listed.splits.values() for row in rows for key in listed.files if key in row]
    if outside := [name for name in names if ".." in Path(name).parts or Path(name).is_absolute()]:
        raise DataError(f"{root}: a list names files outside of the folder: {few(outside)}")
    if gone := [name for name in names if not (root / name).is_file()]:
        raise DataError(f"{root}: {len(gone)} of {len(names)} listed files do not exist: {few(gone)}")


def features_of_rows(listed: Listed) -> Features:
    """What the columns of listed images hold.

    Args:
        listed: The rows.
    """
    rows = [row for some in listed.splits.values() for row in some]
    columns = dict.fromkeys(key for row in rows for key in row)
    return {
        name: Feature("image") if name in listed.files else _feature([row.get(name) for row in rows])
        for name in columns
    }


def _feature(values: Sequence[Any]) -> Feature:
    if all(isinstance(value, int) or _is_number(value) for value in values):
        return Feature("number")
    return Feature("text" if all(isinstance(value, str) for value in values) else "other")


def _is_number(value: object) -> bool:
    """Whether a text is a whole number as it is usually written; 007 is a name."""
    return isinstance(value, str) and value.isdecimal() and str(int(value)) == value


def rows_of(listed: Sequence[Row], image: str, label: str, kind: str) -> Rows:
    """The columns of images and labels.

    Args:
        listed: The rows of a split.
        image: The column of images.
        label: The column of labels.
        kind: What that holds: `image`, `number` or `text`.

    Raises:
        DataError: A row has no label.
    """
    empty = [str(row[image]) for row in listed if row.get(label) in (None, "")]
    if empty:
        raise DataError(f"{len(empty)} of {len(listed)} images have no {label}: {few(empty)}")
    labels = [int(row[label]) if kind == "number" else str(row[label]) for row in listed]
    return Rows([str(row[image]) for row in listed], labels)


def class_folders(root: Path) -> dict[str, Rows]:
    """Images with the names of their folders as labels: SPLIT/CLASS/*.jpg, or CLASS/*.jpg.

    Args:
        root: The data set's folder.
    """
    return {split: _in_classes(root, folder) for split, folder in find_class_splits(root).items()}


def _in_classes(root: Path, folder: Path) -> Rows:
    before = folder.relative_to(root).as_posix()
    rows = Rows()
    for place, names in sorted(walk(folder).images.items()):
        for name in sorted(names) if place else ():
            rows.images.append(f"{before}/{place}/{name}" if before != "." else f"{place}/{name}")
            rows.labels.append(place.split("/")[0])
    return rows
