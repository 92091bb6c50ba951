"""What pictures of findings show: images, and masks with what is wrong in them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from foveate.datasets.augment.resizing import Mask
from foveate.datasets.errors import DataError
from foveate.datasets.files.pairs import Pair
from foveate.datasets.labels import INVALID, Table
from foveate.datasets.masks.reader import MaskReader
from foveate.datasets.masks.stored import read_numbers, read_pixels
from foveate.datasets.masks.values import ValueMasks, apply_table

RGB = UInt8[np.ndarray, "H W 3"]


@dataclass(frozen=True)
class View:
    """Reads what pictures show; what cannot be read is None.

    Args:
        read: Decodes an image file.
        masks: Reads label maps, before a label map of classes, if there are any and the classes are known.
        table: What the label map of classes makes of each train id, if there is one.
    """

    read: Callable[[Path], UInt8[np.ndarray, "H W C"]]
    masks: MaskReader | None
    table: Table | None = None

    def image(self, pair: Pair) -> RGB | None:
        """The image of a pair; three channels of it."""
        try:
            pixels = self.read(pair.image)
        except DataError:
            return None
        return np.ascontiguousarray(pixels[..., [0, 1, 2] if pixels.shape[2] > 2 else [0, 0, 0]])

    def ids(self, pair: Pair) -> Mask | None:
        """Train ids of a pair's label map; 254 where a number stands for no class."""
        ids = self._own_ids(pair)
        return ids if ids is None or self.table is None else self.table[ids]

    def _own_ids(self, pair: Pair) -> Mask | None:
        try:
            if isinstance(self.masks, ValueMasks):
                numbers = read_numbers(pair.label).astype(np.int64)
                beyond = (numbers < 0) | (numbers >= len(self.masks.table))
                ids = apply_table(np.where(beyond, 0, numbers), self.masks.table)
                return np.where(beyond, np.uint8(INVALID), ids)
            return None if self.masks is None else self.masks.read(pair)
        except DataError:
            return None

    def stored_mask(self, pair: Pair) -> RGB | None:
        """A label map as it is stored, for one that cannot be read as classes."""
        try:
            pixels = read_pixels(pair.label, lossy=True)
        except DataError:
            return None
        flat = pixels if pixels.ndim == 3 else np.repeat(pixels[..., None], 3, axis=2)
        if flat.dtype == np.uint8 and pixels.ndim == 3:
            return np.ascontiguousarray(flat[..., :3])
        wide = flat[..., :3].astype(np.float64)
        span = max(1e-9, float(np.nanmax(wide)) - float(np.nanmin(wide)))
        return np.nan_to_num(255 * (wide - np.nanmin(wide)) / span).astype(np.uint8)
