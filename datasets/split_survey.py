"""Reads a training split once, and counts what is worth knowing about its images and classes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64

from foveate.datasets.augment.resizing import Size
from foveate.datasets.classification import ClassificationDataModule
from foveate.datasets.counting.channels import channel_moments, count_levels
from foveate.datasets.counting.classes import count_labels
from foveate.datasets.counting.objects import ObjectSizes, add_sides, object_sides, object_sizes
from foveate.datasets.counting.values import count_values
from foveate.datasets.files.survey import spread
from foveate.datasets.labelled_images import ClassificationDataset
from foveate.datasets.labelled_pairs import SegmentationDataset
from foveate.datasets.labels import IGNORE
from foveate.datasets.progress import Advance
from foveate.datasets.segmentation import SegmentationDataModule
from foveate.datasets.statistics import ClassStatistics
from foveate.datasets.threads import in_threads

Sides = dict[int, Int64[np.ndarray, " n"]]  # train id -> side of each object


@dataclass(frozen=True, kw_only=True)
class Survey:
    """What was counted in a training split.

    Attributes:
        total: Images of the split.
        measured: Images that were read.
        mean: Mean of each channel of their pixels, for images in 0-1.
        std: Standard deviation, likewise.
        sizes: Height and width -> number of images.
        classes: Counts of the K classes in the images that were read; of classification in all images.
        objects: Of each class; None of classification.
        ignored: Share of the pixels that are ignored; None of classification.
    """

    total: int
    measured: int
    mean: Sequence[float]
    std: Sequence[float]
    sizes: Counter[Size]
    classes: ClassStatistics
    objects: Sequence[ObjectSizes] | None = None
    ignored: float | None = None


def survey_data(
    data: SegmentationDataModule | ClassificationDataModule, advance: Advance, sample: int | None = None
) -> Survey:
    """Read the training images of a data set, with their label maps.

    Args:
        data: The data set.
        advance: Told how many images are done.
        sample: Number of images, evenly spread; None reads all.

    Raises:
        DataError: The split cannot be found, or a file cannot be read.
    """
    if isinstance(data, SegmentationDataModule):
        pairs = SegmentationDataset(data.pairs_of("train"), data.reader())
        return survey_pairs(pairs, _chosen(len(pairs), sample), len(data.label_set), advance)
    images = data.find_images("train")
    return survey_images(images, _chosen(len(images), sample), len(data.label_set), advance)


def survey_pairs(
    dataset: SegmentationDataset, chosen: Int64[np.ndarray, " n"], num_classes: int, advance: Advance
) -> Survey:
    """The same of images with label maps.

    Args:
        dataset: All of the split.
        chosen: Indices of those that are read.
        num_classes: Number of classes.
        advance: Told how many images are done.
    """
    images = _Images()
    counts = np.zeros((len(chosen), 256), dtype=np.int64)
    sides: list[Counter[int]] = [Counter() for _ in range(num_classes)]

    def look(number: int) -> tuple[Size, np.ndarray, np.ndarray, Sides]:
        image, mask = dataset.read(int(chosen[number]))
        found = count_values(mask)
        shown = np.flatnonzero(found[:num_classes])
        size = image.shape[0], image.shape[1]
        return size, count_levels(image), found, {int(label): object_sides(mask, int(label)) for label in shown}

    for number, (size, levels, found, of_image) in enumerate(in_threads(look, range(len(chosen)))):
        images.add(size, levels)
        counts[number] = found
        for label, of_class in of_image.items():
            add_sides(sides[label], of_class)
        advance(number + 1, len(chosen))
    mean, std = images.moments()
    return Survey(
        total=len(dataset),
        measured=len(chosen),
        mean=mean,
        std=std,
        sizes=images.sizes,
        classes=_statistics(counts[:, :num_classes]),
        objects=[object_sizes(of_class) for of_class in sides],
        ignored=float(counts[:, IGNORE].sum() / counts.sum()),
    )


def survey_images(
    dataset: ClassificationDataset, chosen: Int64[np.ndarray, " n"], num_classes: int, advance: Advance
) -> Survey:
    """The same of images with classes.

    Args:
        dataset: All of the split.
        chosen: Indices of those that are read.
        num_classes: Number of classes.
        advance: Told how many images are done.
    """
    images = _Images()

    def look(number: int) -> tuple[Size, np.ndarray]:
        image = dataset.read(int(chosen[number]))
        return (image.shape[0], image.shape[1]), count_levels(image)

    for number, (size, levels) in enumerate(in_threads(look, range(len(chosen)))):
        images.add(size, levels)
        advance(number + 1, len(chosen))
    mean, std = images.moments()
    classes = count_labels(dataset.labels, num_classes)
    return Survey(total=len(dataset), measured=len(chosen), mean=mean, std=std, sizes=images.sizes, classes=classes)


class _Images:
    """Sizes and bytes of images."""

    def __init__(self) -> None:
        self.sizes: Counter[Size] = Counter()
        self._levels: Int64[np.ndarray, "C 256"] | None = None

    def add(self, size: Size, levels: Int64[np.ndarray, "C 256"]) -> None:
        self.sizes[size] += 1
        self._levels = levels if self._levels is None else self._levels + levels

    def moments(self) -> tuple[list[float], list[float]]:
        """Mean and standard deviation of each channel."""
        assert self._levels is not None  # a split has an image
        mean, std = channel_moments(self._levels)
        return mean.tolist(), std.tolist()


def _chosen(count: int, most: int | None) -> Int64[np.ndarray, " n"]:
    """Indices that are evenly spread, in ascending order."""
    return np.array(spread(count, count if most is None else most), dtype=np.int64)


def _statistics(counts: Int64[np.ndarray, "N K"]) -> ClassStatistics:
    held = counts > 0
    around = (held * counts.sum(axis=1, keepdims=True)).sum(axis=0)
    return ClassStatistics(
        pixels=counts.sum(axis=0), images=held.sum(axis=0), image_pixels=around, num_images=len(counts)
    )
