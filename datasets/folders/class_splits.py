"""Splits of class folders: train/CLASS and val/CLASS under their usual names, or CLASS alone."""

from __future__ import annotations

from pathlib import Path

from foveate.datasets.folders.names import understand_name


def find_class_splits(root: Path) -> dict[str, Path]:
    """The folder of each split: those named train, val, test, or by a usual name such as valid; else the root as train.

    Args:
        root: The data set's folder.
    """
    names = sorted(entry.name for entry in root.iterdir() if entry.is_dir() and not entry.name.startswith("."))
    found: dict[str, Path] = {}
    for name in names:
        said = understand_name(name)
        if said.split and not said.role:
            found.setdefault(said.split, root / name)
    if found or not names or any(_holds_splits(root / name) for name in names):
        return found
    return {"train": root}


def _holds_splits(folder: Path) -> bool:
    return any(entry.is_dir() and understand_name(entry.name).split for entry in folder.iterdir())
