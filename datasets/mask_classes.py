"""Data sets whose classes are listed by the user, or found in the masks."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

from foveate.datasets.class_file import FILE_NAME, as_mapping, parse_class_table, read_class_table
from foveate.datasets.class_table import ClassTable
from foveate.datasets.errors import DataConfigError, DataError, UnpairedError
from foveate.datasets.files.pair_list import PairList
from foveate.datasets.files.pairs import Pair
from foveate.datasets.files.survey import spread
from foveate.datasets.folders.layout import FolderLayout
from foveate.datasets.folders.options import FolderOptions
from foveate.datasets.folders.shares import groups_of
from foveate.datasets.image_folder import scored_split
from foveate.datasets.labels import LabelSet
from foveate.datasets.masks.create import create_mask_reader
from foveate.datasets.masks.file_classes import classes_of_files
from foveate.datasets.masks.name_files import find_names
from foveate.datasets.masks.proposing import Kind, Proposal, propose_classes
from foveate.datasets.masks.reader import MaskReader
from foveate.datasets.masks.survey import survey_masks
from foveate.datasets.progress import bar
from foveate.datasets.segmentation import SegmentationDataModule

log = logging.getLogger(__name__)
SURVEYED = 500  # masks of each split, at most, that classes are taken from


class MaskClassesDataModule(SegmentationDataModule):
    """Base of the data sets that bring no list of classes of their own; a subclass finds images and masks.

    A subclass sets `folders`, `given_classes`, `masks` and `reduce_zero_label` before `super().__init__()`.

    Attributes:
        folders: How images are paired and split.
        given_classes: A classes.yaml, its content, a list of names, or None.
        masks: What the masks hold.
        reduce_zero_label: Whether the value 0 is ignored, where there is no list of classes.
        layout: Images, masks and splits.
    """

    folders: FolderOptions
    given_classes: str | dict[str, Any] | list[Any] | None
    masks: Kind
    reduce_zero_label: bool

    @cached_property
    def layout(self) -> FolderLayout:
        """Images, masks and splits."""
        raise NotImplementedError

    @property
    def own_labels(self) -> LabelSet:  # type: ignore[override]
        """The classes: those given, those of the root's classes.yaml, or what the masks hold."""
        return self.table.label_set()

    @property
    def label_set(self) -> LabelSet:  # type: ignore[override]
        """The classes after the label map."""
        return self.own_labels if self.mapped is None else self.mapped.labels

    def mask_reader(self) -> MaskReader:
        """Reads label maps, as train ids before the label map."""
        return create_mask_reader(self.table, self.ignored)

    def find_pairs(self, split: str) -> Sequence[Pair]:
        """The pairs of a split; of val where there is no test."""
        return self.layout.splits[scored_split(split, "test" in self.layout.splits)]

    def splits(self) -> tuple[str, ...]:
        """The splits that were found; train and val where none are."""
        try:
            return tuple(self.layout.splits)
        except UnpairedError as error:
            return tuple(error.splits)
        except DataConfigError:
            raise
        except DataError:  # told by whoever asks for the pairs
            return "train", "val"

    def groups_of(self, split: str) -> Sequence[str]:
        """What `group` finds in the path of each image."""
        return self.group_names(self.pairs_of(split)) if self.folders.group else ()

    def group_names(self, pairs: Sequence[Pair]) -> Sequence[str]:
        """What `group` finds in the path of each image."""
        pattern = self.folders.group
        return groups_of(pairs.image_names(), pattern) if pattern and isinstance(pairs, PairList) else ()

    def settled(self) -> dict[str, Any]:
        """The classes, so that a run does not depend on a file or on further masks."""
        return {**super().settled(), "classes": as_mapping(self.table)}

    @cached_property
    def table(self) -> ClassTable:
        """The classes, and what masks hold for each.

        Raises:
            DataError: There is no list of classes, and the masks do not say what the classes are.
        """
        _ = self.layout  # whose lines are told first
        table = self.given_table()
        if table is not None:
            return table if self.masks == "auto" else replace(table, masks=self.masks)
        proposal = self.propose()
        for line in proposal.lines:
            log.info("%s", line)
        return proposal.table

    @property
    def set_name(self) -> str:
        """The name of the data set: that of its folder."""
        return self.existing_root().resolve().name

    def given_table(self) -> ClassTable | None:
        """The classes that a user lists, in an option or in the root's classes.yaml; None if nobody does.

        Raises:
            DataError: The file cannot be read.
            DataConfigError: It is no list of classes.
        """
        given, root = self.given_classes, self.existing_root()
        if isinstance(given, str):
            path = Path(given).expanduser()
            return read_class_table(path if path.is_file() or path.is_absolute() else root / path)
        if given is not None:
            return parse_class_table(given, self.set_name)
        return read_class_table(root / FILE_NAME) if (root / FILE_NAME).is_file() else None

    def propose(self) -> Proposal:
        """Classes taken from the masks, whatever list there is.

        Raises:
            DataError: The masks do not say what the classes are.
        """
        root, splits = self.existing_root(), self.layout.splits.values()
        pairs = [some[place] for some in splits for place in spread(len(some), SURVEYED)]
        if self.layout.several:
            return classes_of_files(self.set_name, pairs)
        named, file = find_names(root)
        with bar("reading masks") as advance:
            survey = survey_masks([pair.label for pair in pairs], advance)
        proposal = propose_classes(survey, self.set_name, self.masks, named, reduce_zero=self.reduce_zero_label)
        total = sum(map(len, splits))
        lines = [f"names of classes from {file}"] * bool(file) + list(proposal.lines)
        if len(pairs) < total:
            lines.append(f"looked at {len(pairs)} of {total} masks; a value in any other is an error")
        return replace(proposal, lines=lines)
