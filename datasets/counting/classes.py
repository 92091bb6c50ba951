"""Counts the classes of a split's label maps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64

from foveate.datasets.augment.resizing import Mask
from foveate.datasets.counting.presence import Presence, pack_presence
from foveate.datasets.counting.values import count_values
from foveate.datasets.progress import Advance
from foveate.datasets.statistics import ClassStatistics
from foveate.datasets.threads import in_threads


@dataclass(frozen=True, kw_only=True, eq=False)
class ClassCounts:
    """What is known of the classes of a split.

    Attributes:
        statistics: Counts over all images.
        presence: Which image holds which class.
    """

    statistics: ClassStatistics
    presence: Presence


def count_classes(read: Callable[[int], Mask], count: int, num_classes: int, advance: Advance) -> ClassCounts:
    """Count the pixels of each class in every label map; several are read at once.

    Args:
        read: Index -> train ids (H, W).
        count: Number N of label maps.
        num_classes: Number K of classes; larger train ids are ignored.
        advance: Told how many are done.

    Raises:
        DataError: A label map cannot be read.
    """
    pixels, images, around = (np.zeros(num_classes, dtype=np.int64) for _ in range(3))
    held = np.zeros((count, num_classes), dtype=bool)
    for index, found in enumerate(in_threads(lambda index: count_values(read(index))[:num_classes], range(count))):
        held[index] = found > 0
        pixels += found
        images += held[index]
        around += held[index] * found.sum()
        advance(index + 1, count)
    statistics = ClassStatistics(pixels=pixels, images=images, image_pixels=around, num_images=count)
    return ClassCounts(statistics=statistics, presence=pack_presence(held))


def count_labels(labels: Int64[np.ndarray, " N"], num_classes: int) -> ClassStatistics:
    """The counts of images with one class each, where an image counts as one pixel.

    Args:
        labels: Class number of each image.
        num_classes: Number of classes.

    Example:
        >>> count_labels(np.array([0, 2, 2]), 3).pixels.tolist()
        [1, 0, 2]
    """
    counts = np.bincount(labels, minlength=num_classes).astype(np.int64)
    return ClassStatistics(pixels=counts, images=counts, image_pixels=counts, num_images=len(labels))
