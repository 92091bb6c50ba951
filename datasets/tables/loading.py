"""The images and labels of a data set of Hugging Face, whatever form it has: tables, or images with a list."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from foveate.datasets.errors import DataError
from foveate.datasets.progress import bar
from foveate.datasets.tables.card import class_names
from foveate.datasets.tables.columns import choose_columns
from foveate.datasets.tables.features import features_of
from foveate.datasets.tables.listed_images import class_folders, features_of_rows, find_lists, read_lists, rows_of
from foveate.datasets.tables.reading import read_schema
from foveate.datasets.tables.splits import find_splits, list_tables
from foveate.datasets.tables.unpacking import Rows, unpack, unpacked_folder


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What a data set is asked for.

    Attributes:
        masks: Whether labels are label maps, or classes of whole images.
        image_column: The column of images; None to find it.
        label_column: The column of labels; None to find it.
        subset: Which of several subsets; None for the only one.
        cache_dir: Where the images of tables are written to; None for `.foveate` in the root.
    """

    masks: bool
    image_column: str | None = None
    label_column: str | None = None
    subset: str | None = None
    cache_dir: Path | None = None


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """Images and labels of each split.

    Attributes:
        folder: What the names of files are relative to.
        splits: The rows of train, val and test.
        columns: The columns of images and labels; empty for class folders.
        names: Names of the classes, where the data set lists them.
        lines: What was found, in words.
    """

    folder: Path
    splits: Mapping[str, Rows]
    columns: tuple[str, str] | tuple[()] = ()
    names: tuple[str, ...] = ()
    lines: Sequence[str] = field(default_factory=list)


def load_rows(root: Path, wanted: Wanted) -> Loaded:
    """Find images and labels; images in tables are written as files.

    Args:
        root: The data set's folder.
        wanted: What it is asked for.

    Raises:
        DataError: There is nothing to find, or it is damaged.
        DataConfigError: It is not clear which columns or which subset is meant.
    """
    lists = find_lists(root)
    if list_tables(root):
        loaded = _from_tables(root, wanted)
    elif lists:
        loaded = _from_lists(root, lists, wanted)
    else:
        loaded = _from_class_folders(root, wanted)
    filled = {split: rows for split, rows in loaded.splits.items() if rows.images}
    if "train" not in filled:
        raise DataError(f"{root}: no images of train; there are {_counts(filled) or 'none'}")
    return replace(loaded, splits=filled)


def _from_class_folders(root: Path, wanted: Wanted) -> Loaded:
    splits = class_folders(root)
    if wanted.masks or not any(rows.images for rows in splits.values()):
        advice = "; for folders of images and masks: --data folder" if wanted.masks else " and no class folders"
        raise DataError(f"{root}: no Parquet or Arrow files, no metadata.jsonl or metadata.csv{advice}")
    return Loaded(folder=root, splits=splits, lines=[f"{root}: class folders; {_counts(splits)}"])


def _from_tables(root: Path, wanted: Wanted) -> Loaded:
    found = find_splits(root, wanted.subset)
    features = features_of(read_schema(found.splits["train"][0]))
    columns = choose_columns(features, wanted.image_column, wanted.label_column, masks=wanted.masks)
    for files in found.splits.values():
        for file in files:
            _check_columns(file, columns)
    folder = unpacked_folder(root, columns, wanted.cache_dir)
    with bar("unpacking images") as advance:
        splits = unpack(found.splits, root, folder, columns, masks=wanted.masks, progress=advance)
    names = features[columns[1]].names or class_names(root, columns[1], wanted.subset)
    line = f"{root}: images in column {columns[0]!r}, labels in {columns[1]!r}; {_counts(splits)}; files in {folder}"
    return Loaded(folder=folder, splits=splits, columns=columns, names=names, lines=[line, *found.lines])


def _check_columns(file: Path, columns: Sequence[str]) -> None:
    missing = [name for name in columns if name not in read_schema(file).names]
    if missing:
        raise DataError(f"{file} has no column {missing[0]!r}, which the tables of train have")


def _from_lists(root: Path, lists: Sequence[Path], wanted: Wanted) -> Loaded:
    listed = read_lists(root, lists)
    features = features_of_rows(listed)
    image, label = choose_columns(features, wanted.image_column, wanted.label_column, masks=wanted.masks)
    splits = {split: rows_of(rows, image, label, features[label].kind) for split, rows in listed.splits.items()}
    line = f"{root}: images of {lists[0].name}, labels in {label!r}; {_counts(splits)}"
    return Loaded(folder=root, splits=splits, columns=(image, label), lines=[line])


def _counts(splits: Mapping[str, Rows]) -> str:
    return ", ".join(f"{split} {len(splits[split].images)}" for split in ("train", "val", "test") if split in splits)


def number_classes(loaded: Loaded) -> tuple[tuple[str, ...], dict[str, list[int]]]:
    """Names of the classes, and the class number of each image of each split.

    Where the data set lists no names, the classes are the labels of train, sorted.

    Args:
        loaded: Images and labels.

    Raises:
        DataError: A label is no class, or the images of a split are not labelled.
    """
    train = loaded.splits["train"].labels
    if loaded.names:
        keys: list[int | str] = list(range(len(loaded.names))) if isinstance(train[0], int) else list(loaded.names)
    else:
        keys = sorted(set(train))
    numbers = {key: number for number, key in enumerate(keys)}
    splits = {}
    for split, rows in loaded.splits.items():
        unknown = sorted({label for label in rows.labels if label not in numbers}, key=str)
        if unknown and split != "test":
            raise DataError(f"{loaded.folder}: labels of {split} that are no class: {unknown[:5]}")
        if not unknown:
            splits[split] = [numbers[label] for label in rows.labels]
    return loaded.names or tuple(map(str, keys)), splits
