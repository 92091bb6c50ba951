"""Images in one folder per class, as ImageNet is unpacked."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from copy import copy
from functools import cached_property
from pathlib import Path
from typing import Unpack

import numpy as np
from jaxtyping import UInt8

from foveate.datasets.classes import ClassSet
from foveate.datasets.classification import ClassificationDataModule
from foveate.datasets.classification_options import CLASSIFICATION_DEFAULTS, ClassificationOptions
from foveate.datasets.errors import DataError
from foveate.datasets.files.packed_strings import Names
from foveate.datasets.files.pairs import ENDINGS
from foveate.datasets.files.reading import read_image
from foveate.datasets.folders.class_splits import find_class_splits
from foveate.datasets.folders.shares import Indices, check_val_share, divide, groups_of
from foveate.datasets.folders.tree import walk
from foveate.datasets.labelled_images import ClassificationDataset
from foveate.datasets.text import few

log = logging.getLogger(__name__)

LAYOUT = "expected train/CLASS/*.jpg and val/CLASS/*.jpg (test/CLASS/*.jpg if there is one) in --data.root"


class FolderDataset(ClassificationDataset):
    """The images of a split: one folder per class; classes may be absent.

    Images in folders within a class folder belong to that class.

    Args:
        folder: Holds the class folders.
        classes: Their names, in the order of the class numbers.

    Raises:
        DataError: A class folder has no images, or is none of `classes`.
    """

    def __init__(self, folder: Path, classes: Sequence[str]) -> None:
        self.folder = folder
        self.classes = tuple(classes)
        found = list_classes(folder)
        if unknown := sorted(set(found) - set(classes)):
            raise DataError(f"{folder} has classes that train has not: {few(unknown)}. {LAYOUT}")
        listed = {name: _list_class(folder / name) for name in found}
        if empty := [name for name, (images, _) in listed.items() if not images]:
            raise DataError(f"{folder} has classes without images: {few(empty)} (looked for {', '.join(ENDINGS)})")
        self.absent = [name for name in classes if name not in listed]
        self.strays = [f"{name}/{stray}" for name, (_, strays) in listed.items() for stray in strays]
        counts = [len(listed[name][0]) if name in listed else 0 for name in classes]
        self.labels = np.repeat(np.arange(len(counts), dtype=np.int64), counts)
        self.names = Names(image for name in classes if name in listed for image in listed[name][0])
        self.deeper = sum("/" in image for images, _ in listed.values() for image in images)

    def select(self, chosen: Indices) -> FolderDataset:
        """Some of the images.

        Args:
            chosen: Their positions.
        """
        some = copy(self)
        some.labels = self.labels[chosen]
        some.names = Names(self.names[int(number)] for number in chosen)
        return some

    def keys(self) -> list[str]:
        """Class and name of each image, as CLASS/NAME."""
        return [f"{self.classes[int(label)]}/{self.names[number]}" for number, label in enumerate(self.labels)]

    def read(self, index: int) -> UInt8[np.ndarray, "H W 3"]:
        """Decode an image.

        Raises:
            DataError: It is damaged, or no image.
        """
        return read_image(self.path(index))

    def path(self, index: int) -> Path:
        """An image's file."""
        return self.folder / self.classes[int(self.labels[index])] / self.names[index]

    def where(self, index: int) -> str:
        """An image's file, as text."""
        return str(self.path(index))


def list_classes(folder: Path) -> list[str]:
    """Names of the class folders in a split's folder, sorted, without hidden ones.

    Raises:
        DataError: The folder is missing, or holds no folders.
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder. {LAYOUT}{_found(folder.parent)}")
    with os.scandir(folder) as entries:
        names = sorted(entry.name for entry in entries if not entry.name.startswith(".") and entry.is_dir())
    if not names:
        raise DataError(f"{folder} holds no class folders. {LAYOUT}{_found(folder)}")
    return names


def _list_class(folder: Path) -> tuple[list[str], list[str]]:
    """Names of the images and of all other files. No file is opened, since there may be millions."""
    tree = walk(folder)
    images, others = (
        sorted(f"{place}/{name}" if place else name for place, names in files.items() for name in names)
        for files in (tree.images, tree.others)
    )
    return images, others


def _found(folder: Path) -> str:
    """What a folder holds instead, and where the data seems to be if it is one folder further down."""
    if not folder.is_dir():
        return ""
    nested = next(iter(sorted(folder.glob("*/train"))), None)
    if nested:
        return f" (did you mean --data.root {nested.parent}?)"
    names = sorted(entry.name for entry in folder.iterdir() if not entry.name.startswith("."))
    return f"; {folder} holds {few(names)}" if names else f"; {folder} is empty"


class ImageFolderOptions(ClassificationOptions, total=False):
    """What images in class folders take.

    Attributes:
        val_share: Share of the groups that become val where there is no val folder.
        split_seed: Another number gives another val.
        group: A regular expression; images in whose CLASS/NAME it finds the same are never divided between train and
            val.
    """

    val_share: float
    split_seed: int
    group: str | None


class ImageFolderDataModule(ClassificationDataModule):
    """Any images in ImageNet's layout: `train/CLASS/*.jpg` and `val/CLASS/*.jpg`, or `CLASS/*.jpg` alone.

    Splits may have other usual names, such as `valid`. Classes are numbered in the order of their names in train.
    Without a val folder, a share of train becomes val, chosen by a hash of the names. Without a test folder,
    `foveate test` scores val and says so.

    Args:
        root: The folder that holds train/ and val/, or the class folders.
        options: The options of every classification data set, and those of the share that becomes val.
    """

    expected = LAYOUT[0].upper() + LAYOUT[1:]
    defaults = ImageFolderOptions(**CLASSIFICATION_DEFAULTS, val_share=0.2, split_seed=0, group=None)

    def __init__(self, root: str | None = None, **options: Unpack[ImageFolderOptions]) -> None:
        given: ImageFolderOptions = self.with_defaults(options)
        self.val_share, self.split_seed, self.group = given["val_share"], given["split_seed"], given["group"]
        check_val_share(self.val_share)
        super().__init__(root, **options)  # type: ignore[misc]

    @cached_property
    def folders(self) -> dict[str, Path]:
        """The folder of each split."""
        return find_class_splits(self.existing_root())

    @cached_property
    def label_set(self) -> ClassSet:
        """The classes: the names of train's folders, sorted."""
        root = self.existing_root()
        names = list_classes(self.folders.get("train", root / "train"))
        return ClassSet(name=root.resolve().name, names=tuple(names))

    def splits(self) -> tuple[str, ...]:
        """train and val, and test if there is one."""
        return ("train", "val", "test") if "test" in self.folders else ("train", "val")

    def find_images(self, split: str) -> FolderDataset:
        """The images of a split; of val where there is no test."""
        classes, root = self.label_set.names, self.existing_root()
        split = scored_split(split, "test" in self.folders)
        if split in ("train", "val") and "val" not in self.folders:
            return self._shared[split]
        dataset = FolderDataset(self.folders.get(split, root / split), classes)
        _report(dataset, split)
        return dataset

    def groups_of(self, split: str) -> Sequence[str]:
        """What `group` finds in CLASS/NAME of each image."""
        return self.group_names(self.images_of(split)) if self.group else ()

    def group_names(self, dataset: ClassificationDataset) -> Sequence[str]:
        """What `group` finds in CLASS/NAME of each image."""
        return groups_of(dataset.keys(), self.group) if self.group and isinstance(dataset, FolderDataset) else ()

    @cached_property
    def _shared(self) -> dict[str, FolderDataset]:
        """Train and val, where there is no val folder."""
        whole = FolderDataset(self.folders["train"], self.label_set.names)
        _report(whole, "train")
        kept, val = divide(whole.keys(), self.group, self.val_share, self.split_seed)
        log.info(
            "%s: no val folder: %d of %d images become val, by a hash of their names (val_share %g)",
            *(whole.folder, len(val), len(whole), self.val_share),
        )
        return {"train": whole.select(kept), "val": whole.select(val)}


def _report(dataset: FolderDataset, split: str) -> None:
    """Say what a reader of the folders would not expect."""
    if dataset.strays:
        log.info("%s: passed over %d that are no images: %s", split, len(dataset.strays), few(dataset.strays))
    if dataset.absent:
        log.info("%s: no images of %s", split, few(dataset.absent))
    if dataset.deeper:
        log.info(
            "%s: %d images lie in folders within class folders; the outer folder is the class", split, dataset.deeper
        )


def scored_split(split: str, has_test: bool) -> str:
    """The split that is scored: val where test is asked for and does not exist, which is logged.

    Args:
        split: The split asked for.
        has_test: Whether there is a test split.
    """
    if split != "test" or has_test:
        return split
    log.info("There is no labelled test split: the figures below are of val.")
    return "val"
