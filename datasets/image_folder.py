"""Images in one folder per class, as ImageNet is unpacked."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Unpack

import numpy as np
from jaxtyping import UInt8

from foveate.datasets.classes import ClassSet
from foveate.datasets.classification import ClassificationDataModule
from foveate.datasets.classification_options import ClassificationOptions
from foveate.datasets.errors import DataError
from foveate.datasets.files.packed_strings import Names
from foveate.datasets.files.pairs import ENDINGS
from foveate.datasets.files.reading import read_image
from foveate.datasets.labelled_images import ClassificationDataset
from foveate.datasets.text import few

log = logging.getLogger(__name__)

LAYOUT = "expected train/CLASS/*.jpg and val/CLASS/*.jpg (test/CLASS/*.jpg if there is one) in --data.root"


class FolderDataset(ClassificationDataset):
    """The images of a split: one folder per class; classes may be absent.

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
    images: list[str] = []
    strays: list[str] = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith(".") or entry.name == "Thumbs.db":
                continue
            is_image = entry.name.lower().endswith(ENDINGS) and entry.is_file()
            (images if is_image else strays).append(entry.name)
    return sorted(images), sorted(strays)


def _found(folder: Path) -> str:
    """What a folder holds instead, and where the data seems to be if it is one folder further down."""
    if not folder.is_dir():
        return ""
    nested = next(iter(sorted(folder.glob("*/train"))), None)
    if nested:
        return f" (did you mean --data.root {nested.parent}?)"
    names = sorted(entry.name for entry in folder.iterdir() if not entry.name.startswith("."))
    return f"; {folder} holds {few(names)}" if names else f"; {folder} is empty"


class ImageFolderDataModule(ClassificationDataModule):
    """Any images in ImageNet's layout: `train/CLASS/*.jpg` and `val/CLASS/*.jpg`.

    Classes are numbered in the order of their names in train. Without a test folder, `foveate test` scores val and
    says so.

    Args:
        root: The folder that holds train/ and val/.
        options: The options of every classification data set.
    """

    def __init__(self, root: str | None = None, **options: Unpack[ClassificationOptions]) -> None:
        super().__init__(root, **options)
        self._classes: ClassSet | None = None

    @property
    def label_set(self) -> ClassSet:
        """The classes: the names of train's folders, sorted."""
        if self._classes is None:
            root = self.existing_root()
            self._classes = ClassSet(name=root.resolve().name, names=tuple(list_classes(root / "train")))
        return self._classes

    def find_images(self, split: str) -> FolderDataset:
        """The images of a split; of val where there is no test."""
        root, classes = self.existing_root(), self.label_set.names
        split = scored_split(split, (root / "test").is_dir())
        dataset = FolderDataset(root / split, classes)
        if dataset.strays:
            log.info("%s: passed over %d that are no images: %s", split, len(dataset.strays), few(dataset.strays))
        if dataset.absent:
            log.info("%s: no images of %s", split, few(dataset.absent))
        return dataset


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
