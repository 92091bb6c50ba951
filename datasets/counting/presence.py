"""Which image of a split holds which class, in one bit each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int64, UInt8


@dataclass(frozen=True, eq=False)
class Presence:
    """Which of N images holds which of K classes.

    Args:
        bits: A row for each image, class 0 in the highest bit of its first byte.
        num_classes: K.

    Example:
        >>> presence = pack_presence(np.array([[True, False], [True, True]]))
        >>> presence.images_with(1).tolist(), presence.classes_of(0).tolist()
        ([1], [0])
    """

    bits: UInt8[np.ndarray, "N B"]
    num_classes: int

    def __len__(self) -> int:
        return len(self.bits)

    def images_with(self, number: int) -> Int64[np.ndarray, " n"]:
        """Indices of the images that hold a class, ascending.

        Args:
            number: The class.
        """
        return np.flatnonzero(self.bits[:, number >> 3] & (128 >> (number & 7)))

    def classes_of(self, index: int) -> Int64[np.ndarray, " k"]:
        """The classes in an image, ascending.

        Args:
            index: The image.
        """
        return np.flatnonzero(np.unpackbits(self.bits[index], count=self.num_classes))


def pack_presence(held: Bool[np.ndarray, "N K"]) -> Presence:
    """The presence that a table of truth values describes.

    Args:
        held: Whether an image (row) holds a class (column).
    """
    return Presence(np.packbits(held, axis=1), held.shape[1])
