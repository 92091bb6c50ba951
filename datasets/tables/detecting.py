"""Whether a folder holds a data set of Hugging Face."""

from __future__ import annotations

import os
from pathlib import Path

from foveate.datasets.tables.features import features_of
from foveate.datasets.tables.listed_images import find_lists, read_lists
from foveate.datasets.tables.reading import ENDINGS, read_schema
from foveate.datasets.tables.splits import list_tables


def is_hub(root: Path) -> bool:
    """Whether a folder holds tables or lists with images and label maps: with two columns of images."""
    return _image_columns(root) >= 2


def is_hub_images(root: Path) -> bool:
    """Whether a folder holds tables or lists with images and classes: with one column of images."""
    return _image_columns(root) == 1


def _image_columns(root: Path) -> int:
    """How many columns of images the tables in a folder have, or the lists in it; 0 if there are none."""
    if _has_tables(root):
        features = features_of(read_schema(list_tables(root)[0]))
        return sum(feature.kind == "image" for feature in features.values())
    lists = find_lists(root)
    return len(read_lists(root, lists).files) if lists else 0


def _has_tables(root: Path) -> bool:
    """Whether tables lie in a folder or in one of the folders in it; quick where those hold many images."""
    with os.scandir(root) as entries:
        found = [(entry.name, entry.is_dir()) for entry in entries if not entry.name.startswith(".")]
    folders = [root / name for name, is_folder in found if is_folder]
    names = (name for folder in folders for name in os.listdir(folder))
    return any(name.endswith(ENDINGS) for name, _ in found) or any(name.endswith(ENDINGS) for name in names)
