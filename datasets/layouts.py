"""The layouts of data sets on disk, by name: one list for every command, and how a folder shows which it has."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, get_args

from foveate.datasets.errors import DataConfigError, DataError

Layout = Literal["cityscapes", "camvid", "image_folder"]
LabelFiles = Literal["labelIds", "labelTrainIds"]  # of Cityscapes: as in the archive, made by the official script
LayoutOption = Literal["auto", "cityscapes", "camvid", "image_folder"]
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


def settle_layout(root: Path, given: LayoutOption) -> Layout:
    """The layout of a data set: the one given, or the one that its folders show.

    Args:
        root: The data set's folder.
        given: What the user says; auto takes the one that the folders show.

    Raises:
        DataError: There is no such folder, or nothing in it shows a layout.
        DataConfigError: The folders show another layout than the one given.
    """
    if not root.is_dir():
        raise DataError(f"{root}: no such folder")
    found = detect_layout(root)
    if given != "auto":
        if found in (None, given):
            return given
        raise DataConfigError(f"{root} has the folders of {found}, not of {given}: give --dataset {found}")
    if found is not None:
        return found
    nested = [folder for layout in LAYOUTS for folder in sorted(root.glob(f"*/{MARKS[layout][0]}"))]
    if nested:
        raise DataError(f"{root} holds no data set, but {nested[0].parent} does: give that folder")
    looked = "; ".join(f"{layout}: {'/, '.join(MARKS[layout])}/" for layout in LAYOUTS)
    raise DataError(f"{root} holds no data set of a known layout (looked for {looked}); name it with --dataset")
