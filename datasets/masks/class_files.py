"""Masks with one file for each class, or for each object."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from foveate.datasets.augment.resizing import Mask
from foveate.datasets.class_table import Overlap
from foveate.datasets.errors import DataError
from foveate.datasets.files.pairs import Pair
from foveate.datasets.labels import IGNORE
from foveate.datasets.masks.stored import read_pixels
from foveate.datasets.text import few

ANY = "*"  # a name that stands for every other file
NUMBER = re.compile(r"[ _.-]*\d+$")  # the number of an object, as in car_2


@dataclass(frozen=True, eq=False)
class ClassFileMasks:
    """Masks in several files. What is not 0 in a file belongs to its class; files of one class are united.

    Args:
        classes: Name of a file or of its folder, in small letters and without ending -> train id; `*` is any other.
        rest: Train id of pixels that no file covers; 255 leaves them out.
        overlap: Which class wins where two cover a pixel: the `last` or `first` in the order of train ids; `ignore`
            leaves the pixel out, `error` refuses the mask.
    """

    classes: Mapping[str, int]
    rest: int = IGNORE
    overlap: Overlap = "last"

    @property
    def key(self) -> bytes:
        """Names, train ids and rules."""
        return repr(("files", sorted(self.classes.items()), self.rest, self.overlap)).encode()

    def read(self, pair: Pair) -> Mask:
        """Train ids of the union of a pair's files."""
        areas: dict[int, Mask] = {}
        for path in pair.parts:
            train_id, area = self.class_of(path), read_area(path)
            known = areas.setdefault(train_id, area)
            if known.shape != area.shape:
                raise DataError(f"{path}: its size is {area.shape}, that of its neighbours {known.shape}")
            areas[train_id] = known | area
        if not areas:
            raise DataError(f"{pair.label}: no mask file for {pair.image}")
        return self._paint(areas, str(pair.label))

    def class_of(self, path: Path) -> int:
        """The train id of a file, by its name or, failing that, its folder's.

        Args:
            path: The file.

        Raises:
            DataError: Neither is the name of a class.
        """
        stem = path.stem.lower()
        names = (stem, NUMBER.sub("", stem), path.parent.name.lower())
        found = next((self.classes[name] for name in names if name in self.classes), self.classes.get(ANY))
        if found is None:
            raise DataError(f"{path}: neither file nor folder is named after a class ({few(self.classes)})")
        return found

    def _paint(self, areas: Mapping[int, Mask], where: str) -> Mask:
        shape = next(iter(areas.values())).shape
        mask = np.full(shape, self.rest, dtype=np.uint8)
        taken = np.zeros(shape, dtype=bool)
        for train_id in sorted(areas, reverse=self.overlap == "first"):
            area = areas[train_id].astype(bool)
            twice = area & taken
            if self.overlap == "error" and twice.any():
                raise DataError(
                    f"{where}: {int(twice.sum())} pixels belong to two classes; overlap: last, first or ignore"
                )
            mask[area] = train_id
            if self.overlap == "ignore":
                mask[twice] = IGNORE
            taken |= area
        return mask


def read_area(path: Path) -> Mask:
    """Where a file is not 0: uint8 (H, W) of 0 and 1.

    Args:
        path: The file.

    Raises:
        DataError: It is damaged or lossy.
    """
    pixels = read_pixels(path)
    flat = pixels if pixels.ndim == 2 else pixels.max(axis=2)
    area: Mask = (flat != 0).astype(np.uint8)
    return area
