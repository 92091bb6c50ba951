"""How often each class occurs in the training data."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class ClassStatistics:
    """Counts of the K classes in the train split; of a classification data set one image counts as one pixel.

    Attributes:
        pixels: Labelled pixels of each class.
        images: Images that hold the class.
        image_pixels: Labelled pixels, of any class, of the images that hold the class.
        num_images: Images of the split.
    """

    pixels: NDArray[np.int64]
    images: NDArray[np.int64]
    image_pixels: NDArray[np.int64]
    num_images: int
