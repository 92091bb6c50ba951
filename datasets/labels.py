"""What the numbers in a label map mean: names, colours and a data set's own ids."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import UInt
from numpy.typing import NDArray

Table = NDArray[np.uint8]
Levels = Mapping[str, Mapping[str, Sequence[str]]]  # level -> group -> names of classes
IGNORE = 255  # the value of a pixel that neither trains nor scores
LARGEST_ID = 65535  # of a label file with 16 bits
INVALID = 254  # in a table: an id that the data set does not define


@dataclass(frozen=True, kw_only=True)
class LabelSet:
    """The classes of a data set, in the order of their train ids 0, 1, 2 ...

    Attributes:
        name: Short name of the data set.
        names: A name for each class.
        colours: An RGB triple, 0-255, for each class.
        ids: The data set's own ("regular") id of each class: what its label files hold and what
            prediction files are written with.
        void_ids: Ids that label files may hold too, and that are ignored.
        levels: Coarser scores, such as categories: for each level the groups, and for each group its classes. A class
            in no group of a level is void there: its labels do not count, and predicting it is an error.
    """

    name: str
    names: tuple[str, ...]
    colours: tuple[tuple[int, int, int], ...]
    ids: tuple[int, ...]
    void_ids: tuple[int, ...] = (IGNORE,)
    levels: Levels = field(default_factory=dict)

    def __post_init__(self) -> None:
        counts = {len(self.names), len(self.colours), len(self.ids)}
        if len(counts) != 1:
            raise ValueError(f"label set {self.name!r}: names, colours and ids differ in number: {sorted(counts)}")
        levels = {level: {group: tuple(n) for group, n in groups.items()} for level, groups in self.levels.items()}
        object.__setattr__(self, "levels", levels)  # a checkpoint holds lists
        for level, groups in levels.items():
            members = [name for names in groups.values() for name in names]
            if len(set(members)) < len(members) or not set(members) <= set(self.names):
                raise ValueError(f"label set {self.name!r}: level {level!r} names a class twice, or one that is none")

    def __len__(self) -> int:
        return len(self.names)

    def groups(self, level: str) -> list[list[int]]:
        """The train ids of each group of a level, in the order of the groups."""
        return [[self.names.index(name) for name in names] for names in self.levels[level].values()]

    def to_train_ids(self) -> Table:
        """Table (uint8) of 256 entries or more: regular id -> train id, 255 for void, 254 for an undefined id."""
        table = np.full(max(256, *(number + 1 for number in (*self.ids, *self.void_ids))), INVALID, dtype=np.uint8)
        table[list(self.void_ids)] = IGNORE
        table[list(self.ids)] = np.arange(len(self), dtype=np.uint8)
        return table

    def check_train_ids(self) -> Table:
        """Table of 256 entries (uint8) for label files that hold train ids already: the same id, 255, or 254."""
        table = np.full(256, INVALID, dtype=np.uint8)
        table[IGNORE] = IGNORE
        table[: len(self)] = np.arange(len(self), dtype=np.uint8)
        return table

    def to_regular_ids(self) -> UInt[np.ndarray, "256"]:
        """Table of 256 entries: train id -> regular id; ignored pixels become 0. uint16 if an id is above 255."""
        table = np.zeros(256, dtype=np.uint8 if max(self.ids) <= 255 else np.uint16)
        table[: len(self)] = self.ids
        return table

    def palette(self) -> Table:
        """Table of 256 x 3 entries (uint8): train id -> RGB colour; black for anything else."""
        table = np.zeros((256, 3), dtype=np.uint8)
        table[: len(self)] = self.colours
        return table


def ignore_ids(table: Table, ids: Sequence[int]) -> Table:
    """A table of stored ids with further ids ignored; longer than 256 entries where an id asks for it.

    Args:
        table: Stored id -> train id.
        ids: Stored ids, 0 to 65535, whose pixels become 255.

    Example:
        >>> table = ignore_ids(CAMVID.to_train_ids(), [0, 300])
        >>> len(table), table[[0, 1, 300]].tolist()
        (301, [255, 1, 255])
    """
    longer = np.full(max([len(table), *(number + 1 for number in ids)]), INVALID, dtype=np.uint8)
    longer[: len(table)] = table
    longer[list(ids)] = IGNORE
    return longer


# The categories that Cityscapes' server scores; classes that it does not score are in none of them.
CITYSCAPES_CATEGORIES: dict[str, tuple[str, ...]] = {
    "flat": ("road", "sidewalk"),
    "construction": ("building", "wall", "fence"),
    "object": ("pole", "traffic light", "traffic sign"),
    "nature": ("vegetation", "terrain"),
    "sky": ("sky",),
    "human": ("person", "rider"),
    "vehicle": ("car", "truck", "bus", "train", "motorcycle", "bicycle"),
}

# Names, ids and colours as published with the data set (Cordts et al. 2016, arXiv:1604.01685).
CITYSCAPES = LabelSet(
    name="cityscapes",
    names=(
        "road", "sidewalk", "building", "wall", "fence", "pole", "traffic light", "traffic sign",
        "vegetation", "terrain", "sky", "person", "rider", "car", "truck", "bus", "train",
        "motorcycle", "bicycle",
    ),
    colours=(
        (128, 64, 128), (244, 35, 232), (70, 70, 70), (102, 102, 156), (190, 153, 153),
        (153, 153, 153), (250, 170, 30), (220, 220, 0), (107, 142, 35), (152, 251, 152),
        (70, 130, 180), (220, 20, 60), (255, 0, 0), (0, 0, 142), (0, 0, 70), (0, 60, 100),
        (0, 80, 100), (0, 0, 230), (119, 11, 32),
    ),
    ids=(7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33),
    void_ids=(0, 1, 2, 3, 4, 5, 6, 9, 10, 14, 15, 16, 18, 29, 30, 255),
    levels={"categories": CITYSCAPES_CATEGORIES},
)  # fmt: skip

# The 11 classes of the SegNet tutorial's copy; its label files hold train ids, 11 is void.
CAMVID = LabelSet(
    name="camvid",
    names=(
        "sky", "building", "pole", "road", "pavement", "tree", "sign symbol", "fence", "car",
        "pedestrian", "bicyclist",
    ),
    colours=(
        (128, 128, 128), (128, 0, 0), (192, 192, 128), (128, 64, 128), (0, 0, 192), (128, 128, 0),
        (192, 128, 128), (64, 64, 128), (64, 0, 128), (64, 64, 0), (0, 128, 192),
    ),
    ids=tuple(range(11)),
    void_ids=(11, 255),
)  # fmt: skip
