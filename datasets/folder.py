"""A data set in folders of images and masks, in whatever arrangement they come."""

from __future__ import annotations

import logging
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Unpack

from foveate.datasets.class_file import FILE_NAME, read_class_table
from foveate.datasets.class_table import ClassTable
from foveate.datasets.drawn import draw_masks
from foveate.datasets.folder_options import FOLDER_DEFAULTS, FolderDataOptions, folder_options
from foveate.datasets.folders.layout import FolderLayout, NoPairsError, find_layout
from foveate.datasets.folders.options import FolderOptions
from foveate.datasets.mask_classes import MaskClassesDataModule
from foveate.datasets.progress import bar

log = logging.getLogger(__name__)


class FolderDataModule(MaskClassesDataModule):
    """Folders of images and masks. Layout, pairs and splits are found by the names of folders and files, and told.

    Found are `images/` and `masks/` (also `labels/`, `annotations/`, `img_dir/` and `ann_dir/`, `JPEGImages/` and
    `SegmentationClass/`, `imagesTr/` and `labelsTr/`), with `train/` and `val/` above or below, lists `train.txt` and
    `val.txt`, or neither: then a share of the images, chosen by a hash of their names, becomes val. The classes are
    those of `classes.yaml`, or what the masks hold. Where there are no masks but annotations of a tool (COCO, labelme,
    YOLO, CVAT ...), masks are drawn from them once.

    Args:
        root: The data set's folder.
        options: The options of every segmentation data set, and those that say where files are and what masks hold.
    """

    defaults = FOLDER_DEFAULTS

    def __init__(self, root: str | None = None, **options: Unpack[FolderDataOptions]) -> None:
        given: FolderDataOptions = self.with_defaults(options)
        self.folders = folder_options(given)
        self.given_classes = given["classes"]
        self.masks = given["masks"]
        self.reduce_zero_label = given["reduce_zero_label"]
        self._drawn: Path | None = None  # folder of masks that were drawn from annotations
        super().__init__(root, **options)  # type: ignore[misc]

    def skip_unpaired(self) -> None:
        """Pair what can be paired, as `unpaired: skip` does."""
        self.folders = replace(self.folders, unpaired="skip")

    @cached_property
    def layout(self) -> FolderLayout:
        """Images, masks and splits.

        Raises:
            DataError: Nothing fits, or files have no partner.
        """
        root = self.existing_root()
        try:
            layout = self._find_layout(root, self.folders)
        except NoPairsError:
            self._drawn = draw_masks(root, self.cache_dir, self._names())
            if self._drawn is None:
                raise
            self.masks = "auto"  # what is drawn holds values
            layout = self._find_layout(self._drawn, replace(self.folders, unpaired="skip"))
        for line in layout.lines:
            log.info("%s", line)
        return layout

    @staticmethod
    def _find_layout(root: Path, options: FolderOptions) -> FolderLayout:
        with bar("listing files") as advance:
            return find_layout(root, options, lambda count: advance(count, 0))

    def _names(self) -> list[str] | None:
        """The names of the classes that the user lists."""
        table = super().given_table()
        return None if table is None else [one.name for one in table.classes]

    def given_table(self) -> ClassTable | None:
        """The classes of masks that were drawn from annotations, or else those that a user lists.

        Raises:
            DataError: A file cannot be read.
            DataConfigError: It is no list of classes.
        """
        return super().given_table() if self._drawn is None else read_class_table(self._drawn / FILE_NAME)
