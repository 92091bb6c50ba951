"""Images with classes of Hugging Face: a data set on the Hub, or a copy of one in a folder."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Unpack

import numpy as np
from jaxtyping import UInt8

from foveate.datasets.classes import ClassSet
from foveate.datasets.classification import ClassificationDataModule
from foveate.datasets.classification_options import CLASSIFICATION_DEFAULTS, ClassificationOptions
from foveate.datasets.errors import DataConfigError, DataError
from foveate.datasets.files.packed_strings import Names
from foveate.datasets.files.reading import read_image
from foveate.datasets.folders.shares import check_val_share, divide
from foveate.datasets.image_folder import scored_split
from foveate.datasets.labelled_images import ClassificationDataset
from foveate.datasets.tables.loading import Loaded, Wanted, load_rows, number_classes
from foveate.datasets.tables.repository import Source, find_source

log = logging.getLogger(__name__)


class NamedImages(ClassificationDataset):
    """Image files below a folder, with class numbers.

    Args:
        folder: What the names are relative to.
        names: The files.
        labels: Class number of each.
    """

    def __init__(self, folder: Path, names: Sequence[str], labels: Sequence[int]) -> None:
        self.folder = folder
        self.names = Names(names)
        self.labels = np.array(labels, dtype=np.int64)

    def read(self, index: int) -> UInt8[np.ndarray, "H W 3"]:
        """Decode an image.

        Raises:
            DataError: It is damaged, or no image.
        """
        return read_image(self.path(index))

    def path(self, index: int) -> Path:
        """An image's file."""
        return self.folder / self.names[index]

    def where(self, index: int) -> str:
        """An image's file, as text."""
        return str(self.path(index))


class HubImagesOptions(ClassificationOptions, total=False):
    """What a data set of Hugging Face with classes takes.

    Attributes:
        image_column: The column of images; found by types and names if not given.
        label_column: The column of classes, likewise.
        subset: Which of several subsets ("configurations") of the data set.
        revision: A branch, tag or commit on the Hub; main if not given. A run keeps the commit that it was trained on.
        cache_dir: Folder for the images of tables; `.foveate` in the data set's folder if not given.
        group: A regular expression; images in whose file name it finds the same are never divided between train and
            val.
        val_share: Share of the groups that become val where there is no validation split.
        split_seed: Another number gives another val.
    """

    image_column: str | None
    label_column: str | None
    subset: str | None
    revision: str | None
    cache_dir: str | None
    group: str | None
    val_share: float
    split_seed: int


class HubImagesDataModule(ClassificationDataModule):
    """Images with classes of Hugging Face: tables in Parquet or Arrow files, lists of images, or class folders.

    Images in tables are written as files once, into `.foveate` in the data set's folder, exactly as they are stored.
    The splits are train, validation and test; without validation, a share of train becomes val, chosen by a hash.
    Without a labelled test split, `foveate test` scores val and says so.

    Args:
        root: OWNER/NAME on the Hugging Face Hub, or the folder of a copy.
        options: The options of every classification data set, and those of columns and splits.
    """

    defaults = HubImagesOptions(
        **CLASSIFICATION_DEFAULTS,
        image_column=None,
        label_column=None,
        subset=None,
        revision=None,
        cache_dir=None,
        group=None,
        val_share=0.2,
        split_seed=0,
    )

    def __init__(self, root: str | None = None, **options: Unpack[HubImagesOptions]) -> None:
        given: HubImagesOptions = self.with_defaults(options)
        self.options = given
        check_val_share(given["val_share"])
        super().__init__(root, **options)  # type: ignore[misc]

    @cached_property
    def source(self) -> Source:
        """Where the data lies; it is downloaded if need be."""
        return find_source(self.root or super().existing_root(), self.options["revision"])

    def existing_root(self) -> Path:
        """The folder of the data.

        Raises:
            DataError: There is no such folder, and no such data set on the Hub.
        """
        return self.source.folder

    def settled(self) -> dict[str, Any]:
        """Columns and the version of the data, so that a run does not depend on what is found later."""
        columns = dict(zip(("image_column", "label_column"), self.loaded.columns, strict=False))
        return columns | ({"revision": self.source.commit} if self.source.commit else {})

    @cached_property
    def loaded(self) -> Loaded:
        """Images and classes of each split."""
        options, cache = self.options, self.options["cache_dir"]
        wanted = Wanted(
            masks=False,
            image_column=options["image_column"],
            label_column=options["label_column"],
            subset=options["subset"],
            cache_dir=None if cache is None else Path(cache).expanduser(),
        )
        loaded = load_rows(self.existing_root(), wanted)
        for line in loaded.lines:
            log.info("%s", line)
        return loaded

    @cached_property
    def label_set(self) -> ClassSet:
        """The classes: those that the data set lists, or the labels of train, sorted."""
        names, _ = number_classes(self.loaded)
        return ClassSet(name=self.source.name, names=names)

    def splits(self) -> tuple[str, ...]:
        """The splits that were found, unlabelled ones left out; train and val where none are."""
        try:
            return tuple(self._images)
        except DataConfigError:
            raise
        except DataError:  # told by whoever asks for the images
            return "train", "val"

    def find_images(self, split: str) -> NamedImages:
        """The images of a split; of val where there is no labelled test."""
        return self._images[scored_split(split, "test" in self._images)]

    @cached_property
    def _images(self) -> dict[str, NamedImages]:
        _, numbers = number_classes(self.loaded)
        rows, folder = self.loaded.splits, self.loaded.folder
        found = {split: NamedImages(folder, rows[split].images, labels) for split, labels in numbers.items()}
        return found if "val" in found else found | self._share(rows["train"].images, numbers["train"])

    def _share(self, names: Sequence[str], labels: Sequence[int]) -> dict[str, NamedImages]:
        """Train and val, where there is no val."""
        share = self.options["val_share"]
        kept, val = divide(names, self.options["group"], share, self.options["split_seed"])
        log.info(
            "no validation split: %d images of train become val, by a hash of their names (val_share %g)",
            *(len(val), share),
        )
        parts = {"train": kept.tolist(), "val": val.tolist()}
        return {
            split: NamedImages(self.loaded.folder, [names[i] for i in chosen], [labels[i] for i in chosen])
            for split, chosen in parts.items()
        }
