"""Folders that a data set needs, and hints where they are if the root is a wrong one."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path

from foveate.datasets.errors import DataError

log = logging.getLogger(__name__)


def require_folders(root: Path, folders: Iterable[str], advice: str) -> None:
    """Refuse a root that lacks a folder.

    Args:
        root: The data set's folder.
        folders: Paths below it, with `/`; the first is what marks a root.
        advice: What to do if one is missing.

    Raises:
        DataError: One is missing; says where the data is, if it is one folder further down or up.
    """
    folders = list(folders)
    for folder in folders:
        if not (root / folder).is_dir():
            raise DataError(f"{root / folder}: no such folder. {advice}{nested_hint(root, folders[0])}")


def nested_hint(root: Path, mark: str) -> str:
    """Where the data seems to be, if it is one folder further down, or if the root is a folder inside it.

    Args:
        root: A folder.
        mark: A path, with `/`, that the right folder has.
    """
    below = [folder for folder in sorted(root.glob("*/")) if (folder / mark).is_dir()]
    above = [folder for folder in list(root.resolve().parents)[:2] if (folder / mark).is_dir()]
    found = next(iter(below + above), None)
    return f" (did you mean --data.root {found}?)" if found else ""


def first_folder(root: Path, candidates: Iterable[str]) -> str:
    """The first of some paths that is a folder below the root; the first of all if none is.

    Args:
        root: The data set's folder.
        candidates: Paths below it, with `/`.
    """
    candidates = list(candidates)
    return next((path for path in candidates if (root / path).is_dir()), candidates[0])


def labelled_split(split: str, data_set: str) -> str:
    """The split that is scored where the labels of the test split are not public: val in place of test, with a note.

    Args:
        split: train, val or test.
        data_set: The data set's name, for the note.
    """
    if split != "test":
        return split
    log.info("The labels of the test split of %s are not public: the figures below are of val.", data_set)
    return "val"
