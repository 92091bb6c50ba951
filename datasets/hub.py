"""Images with label maps of Hugging Face: a data set on the Hub, or a copy of one in a folder."""

from __future__ import annotations

import logging
from functools import cached_property
from pathlib import Path
from typing import Any, Final, Literal, Unpack

from foveate.datasets.files.pair_list import PairList
from foveate.datasets.folders.layout import FolderLayout
from foveate.datasets.folders.options import FolderOptions
from foveate.datasets.folders.shares import divide
from foveate.datasets.mask_classes import MaskClassesDataModule
from foveate.datasets.segmentation_options import SEGMENTATION_DEFAULTS, SegmentationOptions
from foveate.datasets.tables.loading import Loaded, Wanted, load_rows
from foveate.datasets.tables.repository import Source, find_source

log = logging.getLogger(__name__)


class HubOptions(SegmentationOptions, total=False):
    """What a data set of Hugging Face with label maps takes.

    Attributes:
        image_column: The column of images; found by types and names if not given.
        label_column: The column of label maps, likewise.
        subset: Which of several subsets ("configurations") of the data set.
        revision: A branch, tag or commit on the Hub; main if not given. A run keeps the commit that it was trained on.
        classes: The classes: a `classes.yaml`, its content, or a list of names; `classes.yaml` or `id2label.json` in
            the data set if not given, and what the label maps hold if there is none.
        masks: What the label maps hold: `values` (grey or palette), `colours` (RGB or palette), or `binary` (black and
            white, also JPEG); `auto` follows the classes, or looks.
        reduce_zero_label: Whether the value 0 in label maps is ignored, where there is no list of classes.
        group: A regular expression; images in whose file name it finds the same are never divided between train and
            val.
        val_share: Share of the groups that become val where there is no validation split.
        split_seed: Another number gives another val.
    """

    image_column: str | None
    label_column: str | None
    subset: str | None
    revision: str | None
    classes: str | dict[str, Any] | list[Any] | None
    masks: Literal["auto", "values", "colours", "binary"]
    reduce_zero_label: bool
    group: str | None
    val_share: float
    split_seed: int


HUB_DEFAULTS: Final = HubOptions(
    **SEGMENTATION_DEFAULTS,
    image_column=None,
    label_column=None,
    subset=None,
    revision=None,
    classes=None,
    masks="auto",
    reduce_zero_label=False,
    group=None,
    val_share=0.2,
    split_seed=0,
)


class HubDataModule(MaskClassesDataModule):
    """Images with label maps of Hugging Face: tables in Parquet or Arrow files, or images that a list names.

    Images in tables are written as files once, into `.foveate` in the data set's folder, exactly as they are stored.
    The splits are train, validation and test; without validation, a share of train becomes val, chosen by a hash.

    Args:
        root: OWNER/NAME on the Hugging Face Hub, or the folder of a copy.
        options: The options of every segmentation data set, and those of columns, splits and classes.
    """

    defaults = HUB_DEFAULTS

    def __init__(self, root: str | None = None, **options: Unpack[HubOptions]) -> None:
        given: HubOptions = self.with_defaults(options)
        self.folders = FolderOptions(group=given["group"], val_share=given["val_share"], split_seed=given["split_seed"])
        self.columns = given["image_column"], given["label_column"]
        self.subset, self.revision = given["subset"], given["revision"]
        self.given_classes = given["classes"]
        self.masks = given["masks"]
        self.reduce_zero_label = given["reduce_zero_label"]
        super().__init__(root, **options)  # type: ignore[misc]

    @cached_property
    def source(self) -> Source:
        """Where the data lies; it is downloaded if need be."""
        return find_source(self.root or super().existing_root(), self.revision)

    def existing_root(self) -> Path:
        """The folder of the data.

        Raises:
            DataError: There is no such folder, and no such data set on the Hub.
        """
        return self.source.folder

    def settled(self) -> dict[str, Any]:
        """Classes, columns and the version of the data, so that a run does not depend on what is found later."""
        image, label = self.loaded.columns or self.columns
        found = {**super().settled(), "image_column": image, "label_column": label}
        return found | ({"revision": self.source.commit} if self.source.commit else {})

    @cached_property
    def loaded(self) -> Loaded:
        """Images and label maps of each split."""
        image, label = self.columns
        root = self.existing_root()
        return load_rows(
            root,
            Wanted(masks=True, image_column=image, label_column=label, subset=self.subset, cache_dir=self.cache_dir),
        )

    @cached_property
    def layout(self) -> FolderLayout:
        """Pairs of each split.

        Raises:
            DataError: There is no data that can be read.
        """
        loaded = self.loaded
        splits = {
            split: PairList(loaded.folder, rows.images, list(map(str, rows.labels)))
            for split, rows in loaded.splits.items()
        }
        lines = list(loaded.lines)
        if "val" not in splits:
            splits |= self._share(splits["train"])
            lines.append(
                f"no validation split: {len(splits['val'])} images of train become val, by a hash of their names "
                f"(val_share {self.folders.val_share:g})"
            )
        for line in lines:
            log.info("%s", line)
        return FolderLayout(splits, False, lines)

    def _share(self, train: PairList) -> dict[str, PairList]:
        """Train and val, where there is no val."""
        options = self.folders
        kept, val = divide(train.image_names(), options.group, options.val_share, options.split_seed)
        return {"train": train.select(kept), "val": train.select(val)}

    @property
    def set_name(self) -> str:
        """The name of the data set: that on the Hub, or that of its folder."""
        return self.source.name
