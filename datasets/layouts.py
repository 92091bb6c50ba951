"""The layouts of data sets on disk, by name: one list for every command, and how a folder shows which it has."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, get_args

from foveate.datasets.errors import DataConfigError, DataError

Layout = Literal[
    "cityscapes", "camvid", "ade20k", "voc2012", "coco_stuff164k", "loveda", "potsdam", "image_folder"
]  # in the order of looking
LabelFiles = Literal["labelIds", "labelTrainIds"]  # of Cityscapes: as in the archive, made by the official script
LayoutOption = Literal[
    "auto", "cityscapes", "camvid", "ade20k", "voc2012", "coco_stuff164k", "loveda", "potsdam", "image_folder"
]
LAYOUTS: tuple[Layout, ...] = get_args(Layout)
MARKS = {
    "cityscapes": ("leftImg8bit", "gtFine"),
    "camvid": ("trainannot", "valannot", "testannot"),
    "ade20k": ("annotations/training", "annotations/validation"),
    "voc2012": tuple(f"{root}ImageSets/Segmentation" for root in ("", "VOC2012/", "VOCdevkit/VOC2012/")),
    "coco_stuff164k": (
        *("annotations/train2017", "annotations/val2017", "stuffthingmaps/train2017", "stuffthingmaps/val2017"),
        *("stuffthingmaps_trainval2017/train2017", "stuffthingmaps_trainval2017/val2017"),
    ),
    "loveda": ("Train/Urban", "Train/Rural", "Val/Urban", "Val/Rural"),
    "potsdam": ("5_Labels_all", "5_Labels_all_noBoundary"),
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
    below = (folder for folder in sorted(root.glob("*/")) if detect_layout(folder))
    if nested := next(below, None):
        raise DataError(f"{root} holds no data set, but {nested} does: give that folder")
    looked = "; ".join(f"{layout}: {'/, '.join(MARKS[layout])}/" for layout in LAYOUTS)
    raise DataError(f"{root} holds no data set of a known layout (looked for {looked}); name it with --dataset")
