"""The layouts of data sets on disk, by name: one list for every command, and how a folder shows which it has."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, get_args

from foveate.datasets.errors import DataConfigError, DataError

Layout = Literal["cityscapes", "camvid", "image_folder"]
LabelFiles = Literal["labelIds", "labelTrainIds"]  # of Cityscapes: as in the archive, made by the official script
LAYOUTS: tuple[Layout, ...] = get_args(Layout)
MARKS = {
    "cityscapes": ("leftImg8bit", "gtFine"),
    "camvid": ("trainannot", "valannot", "testannot"),
    "image_folder": ("train", "val"),
}  # the first layout of which any folder is there: CamVid has train/ and val/ too


def detect_layout(root: Path) -> Layout | None:
    """The layout that the folders below `root` belong to; None where they belong to none.

    Args:
        root: The data set's folder.
    """
    for layout in LAYOUTS:
        if any((root / name).is_dir() for name in MARKS[layout]):
            return layout
    return None


def settle_layout(root: Path, given: Layout | None) -> Layout:
    """The layout of a data set: the one given, or the one that its folders show.

    Args:
        root: The data set's folder.
        given: What the user says; None leaves it to the folders.

    Raises:
        DataError: There is no such folder, or nothing in it shows a layout.
        DataConfigError: The folders show another layout than the one given.
    """
    if not root.is_dir():
        raise DataError(f"{root}: no such folder")
    found = detect_layout(root)
    if given is not None and found is not None and given != found:
        raise DataConfigError(f"{root} has the folders of {found}, not of {given}: give --dataset {found}")
    if given is None and found is None:
        for layout in LAYOUTS:
            for mark in MARKS[layout][:1]:
                if nested := next(iter(sorted(root.glob(f"*/{mark}"))), None):
                    raise DataError(f"{root} holds no data set, but {nested.parent} does: give that folder")
        looked = "; ".join(f"{layout}: {'/, '.join(MARKS[layout])}/" for layout in LAYOUTS)
        raise DataError(f"{root} holds no data set of a known layout (looked for {looked}); name it with --dataset")
    return given or found or LAYOUTS[0]
