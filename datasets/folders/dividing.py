"""Which pairs belong to train, val and test."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from foveate.datasets.folders.joining import Joined
from foveate.datasets.folders.lists import positions, read_list
from foveate.datasets.folders.options import FolderOptions
from foveate.datasets.folders.shares import divide as divide_names

SPLITS = ("train", "val", "test")
Indices = NDArray[np.int64]


def divide(
    root: Path, joined: Joined, lists: Mapping[str, str], options: FolderOptions
) -> tuple[dict[str, Indices], str]:
    """Positions of the pairs of each split, and in words how they were divided.

    Args:
        root: The data set's folder.
        joined: All pairs.
        lists: Split -> list file below the root; folders say the splits if there is none.
        options: What the user says.

    Raises:
        DataError: A list cannot be read or names what is not there, or nothing is left for a split.
    """
    if lists:
        chosen = {name: positions(joined.images, read_list(root / file), file) for name, file in sorted(lists.items())}
        how = f"splits by {', '.join(lists[name] for name in SPLITS if name in lists)}"
    elif any(joined.splits):
        chosen = {name: _positions_of(joined, name) for name in SPLITS}
        how = "splits by folder"
    else:
        chosen, how = {"train": np.arange(len(joined.images), dtype=np.int64)}, "no splits"
    chosen = {name: chosen[name] for name in SPLITS if name in chosen and len(chosen[name])}
    if "train" not in chosen or "val" in chosen:
        return chosen, how
    return _with_val(joined, chosen, options), _said(how, options)


def _positions_of(joined: Joined, split: str) -> Indices:
    return np.array([place for place, name in enumerate(joined.splits) if name == split], dtype=np.int64)


def _with_val(joined: Joined, chosen: dict[str, Indices], options: FolderOptions) -> dict[str, Indices]:
    """A share of train becomes val."""
    train = chosen["train"]
    names = joined.images if options.group else joined.keys  # a key stays when files move or change their format
    chosen_names = (names[int(place)] for place in train)
    kept, val = divide_names(chosen_names, options.group, options.val_share, options.split_seed)
    divided = {"train": train[kept], "val": train[val]}
    return divided | {name: places for name, places in chosen.items() if name == "test"}


def _said(how: str, options: FolderOptions) -> str:
    what = f"groups by {options.group!r}" if options.group else "images"
    return f"{how}, no val: {options.val_share:g} of the {what} of train become val, by a hash of the name"
