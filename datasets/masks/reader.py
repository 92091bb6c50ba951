"""How a pair of image and label map is read: one object that data sets, packed files and checks share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import UInt8

from foveate.datasets.augment.resizing import Image, Mask, Size
from foveate.datasets.errors import DataError
from foveate.datasets.files.image_reader import ImageReader
from foveate.datasets.files.pairs import Pair
from foveate.datasets.files.turning import UPRIGHT, turned, turned_to_fit


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
        images: Reads images.
    """

    masks: MaskReader
    images: ImageReader = ImageReader()  # noqa: RUF009  frozen

    @property
    def key(self) -> bytes:
        """Bytes that differ between readers that give different pixels or train ids."""
        return b"|".join(filter(None, (self.masks.key, self.images.key)))

    def read(self, pair: Pair) -> tuple[Image, Mask]:
        """An image and its train ids, at their own size.

        An EXIF orientation turns the image where only the turned one has the size of its label map.

        Args:
            pair: The files.

        Raises:
            DataError: A file is damaged, their sizes differ, or both the image as stored and the turned one would fit.
        """
        stored, orientation = self.images.load(pair.image)
        mask = self.masks.read(pair)
        image = (
            stored
            if orientation == UPRIGHT
            else self._turn(stored, orientation, (mask.shape[0], mask.shape[1]), str(pair.image))
        )
        if image.shape[:2] != mask.shape:
            raise DataError(f"{pair.image} is {_size(image)}, but {pair.label} is {_size(mask)} (height x width)")
        return image, mask

    def _turn(self, stored: Image, orientation: int, size: Size, where: str) -> UInt8[np.ndarray, "h w C"]:
        if self.images.exif == "apply":
            return np.ascontiguousarray(turned(stored, orientation))
        return np.ascontiguousarray(turned_to_fit(stored, orientation, size, where))


def _size(array: np.ndarray) -> str:
    return f"{array.shape[0]} x {array.shape[1]}"
