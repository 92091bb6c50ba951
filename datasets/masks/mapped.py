"""Masks whose train ids are changed by a table after they were read."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from foveate.datasets.augment.resizing import Mask
from foveate.datasets.files.pairs import Pair
from foveate.datasets.labels import Table
from foveate.datasets.masks.reader import MaskReader


@dataclass(frozen=True, eq=False)
class MappedMasks:
    """Masks of another reader, with its train ids changed.

    Args:
        masks: The reader.
        table: Its train id -> new train id; 256 entries.
    """

    masks: MaskReader
    table: Table

    @property
    def key(self) -> bytes:
        """The reader's key and the table."""
        return self.masks.key + b"mapped" + self.table.tobytes()

    def read(self, pair: Pair) -> Mask:
        """New train ids of a mask."""
        return np.asarray(cv2.LUT(self.masks.read(pair), self.table), dtype=np.uint8)
