"""How a folder shows which data set it holds: by the folders in it."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from foveate.datasets.annotations.reading import detect_format
from foveate.datasets.errors import DataError
from foveate.datasets.folders.class_splits import find_class_splits
from foveate.datasets.folders.layout import NoPairsError, find_layout
from foveate.datasets.folders.names import understand_name
from foveate.datasets.folders.options import FolderOptions

LabelFiles = Literal["labelIds", "labelTrainIds"]  # of Cityscapes: as in the archive, made by the official script


def _any_folder(root: Path, *names: str) -> bool:
    return any((root / name).is_dir() for name in names)


def is_cityscapes(root: Path) -> bool:
    """Whether a folder holds Cityscapes, or data in its layout."""
    return _any_folder(root, "leftImg8bit", "gtFine")


def is_camvid(root: Path) -> bool:
    """Whether a folder holds CamVid as the SegNet tutorial gives it."""
    return _any_folder(root, "trainannot", "valannot", "testannot")


def is_ade20k(root: Path) -> bool:
    """Whether a folder holds ADE20K's scene parsing benchmark."""
    return _any_folder(root, "annotations/training", "annotations/validation")


def is_voc2012(root: Path) -> bool:
    """Whether a folder, or one in it, holds Pascal VOC's development kit."""
    lists = "ImageSets/Segmentation"
    return _any_folder(root, lists, f"VOC2012/{lists}", f"VOCdevkit/VOC2012/{lists}")


def is_coco_stuff164k(root: Path) -> bool:
    """Whether a folder holds the pixel maps of COCO-Stuff."""
    folders = ("annotations", "stuffthingmaps", "stuffthingmaps_trainval2017")
    return _any_folder(root, *(f"{folder}/{split}2017" for folder in folders for split in ("train", "val")))


def is_loveda(root: Path) -> bool:
    """Whether a folder holds LoveDA."""
    return _any_folder(root, *(f"{split}/{scene}" for split in ("Train", "Val") for scene in ("Urban", "Rural")))


def is_potsdam(root: Path) -> bool:
    """Whether a folder holds the label maps of ISPRS Potsdam."""
    return _any_folder(root, "5_Labels_all", "5_Labels_all_noBoundary")


def is_class_folders(root: Path) -> bool:
    """Whether a folder holds train/ or val/, or splits by other usual names, and in them a folder for each class."""
    splits = [folder for folder in find_class_splits(root).values() if folder != root]
    below = [entry.name for split in splits for entry in split.iterdir() if entry.is_dir()]
    return bool(below) and not any(understand_name(name).role for name in below) and not _has_masks(root)


def _has_masks(root: Path) -> bool:
    return any(understand_name(entry.name).role == "mask" for entry in root.iterdir() if entry.is_dir())


def is_folders(root: Path) -> bool:
    """Whether a folder holds images and masks, or annotations, as `FolderDataModule` finds them."""
    try:
        find_layout(root, FolderOptions(unpaired="skip"))
    except NoPairsError:
        return detect_format(root) is not None
    except DataError:  # it has pairs, and something else is wrong
        return True
    return True
