"""How a pair of image and label map is read: one object that data sets, packed files and checks share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np

from foveate.datasets.augment.resizing import Image, Mask
from foveate.datasets.errors import DataError
from foveate.datasets.files.pairs import Pair
from foveate.datasets.files.reading import read_image


@runtime_checkable
class MaskReader(Protocol):
    """Reads the label map of a pair."""

    @property
    def key(self) -> bytes:
        """Bytes that differ between readers that give different train ids."""

    def read(self, pair: Pair) -> Mask:
        """Train ids (H, W) at the label map's own size, 255 where ignored.

        Args:
            pair: The files.

        Raises:
            DataError: A file is damaged, or holds what no class stands for.
        """


@dataclass(frozen=True, eq=False)
class PairReader:
    """Reads image and label map of a pair together.

    Args:
        masks: Reads label maps.
    """

    masks: MaskReader

    @property
    def key(self) -> bytes:
        """Bytes that differ between readers that give different pixels or train ids."""
        return self.masks.key

    def read(self, pair: Pair) -> tuple[Image, Mask]:
        """An image and its train ids, at their own size.

        Raises:
            DataError: A file is damaged, or their sizes differ.
        """
        image, mask = read_image(pair.image), self.masks.read(pair)
        if image.shape[:2] != mask.shape:
            raise DataError(f"{pair.image} is {_size(image)}, but {pair.label} is {_size(mask)} (height x width)")
        return image, mask


def _size(array: np.ndarray) -> str:
    return f"{array.shape[0]} x {array.shape[1]}"
