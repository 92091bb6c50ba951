"""What is known of each image after an evaluation, in arrays: of segmentation, and of classification."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from jaxtyping import UInt
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Integers = NDArray[np.int32]
Counted = UInt[np.ndarray, "_ _"]


@dataclass(frozen=True)
class PixelRecord:
    """The images of a segmentation data set.

    Attributes:
        images: Path of each image, below the data's folder where it lies there.
        groups: The group of each image; empty if the data set names none.
        names: The K classes, each different.
        levels: Coarser scores: the names of the groups of classes of each level.
        counts: Of each image (n, 3 T): pixels of each class that are right, labelled, and predicted where something is
            labelled; T is K and the groups of all levels in order.
        loss: Of each image; NaN where nothing is labelled.
        confidence: Mean over the labelled pixels of the probability of the predicted class.
    """

    images: Sequence[str]
    groups: Sequence[str]
    names: Sequence[str]
    levels: Mapping[str, Sequence[str]]
    counts: Counted
    loss: Floats
    confidence: Floats

    def __len__(self) -> int:
        return len(self.images)

    @property
    def sizes(self) -> tuple[int, ...]:
        """How many classes there are, and groups of each level."""
        return len(self.names), *map(len, self.levels.values())

    @property
    def titles(self) -> list[str]:
        """A name for each of the T kinds of pixels; those of a level begin with its name and a colon."""
        coarse = [f"{level}:{group}" for level, groups in self.levels.items() for group in groups]
        return [*self.names, *coarse]

    def parts(self) -> tuple[Counted, Counted, Counted]:
        """Right, labelled and predicted pixels, each (n, T)."""
        right, labelled, predicted = np.split(self.counts, 3, axis=1)
        return right, labelled, predicted

    def miou(self) -> NDArray[np.float64]:
        """Mean IoU of each image, over the classes that are labelled or predicted in it; NaN if nothing is labelled."""
        right, labelled, predicted = (part[:, : len(self.names)].astype(np.float64) for part in self.parts())
        union = labelled + predicted - right
        occurs = union > 0
        total = np.divide(right, union, out=np.zeros_like(right), where=occurs).sum(1)
        return np.asarray(np.divide(total, occurs.sum(1), out=np.full(len(self), np.nan), where=labelled.any(1)))

    def pixels(self) -> NDArray[np.int64]:
        """How many pixels of each image are labelled."""
        return np.asarray(self.parts()[1][:, : len(self.names)].sum(1, dtype=np.int64))

    def accuracy(self) -> NDArray[np.float64]:
        """Share of each image's labelled pixels that are right; NaN if nothing is labelled."""
        right, pixels = self.parts()[0][:, : len(self.names)].sum(1, dtype=np.float64), self.pixels()
        return np.asarray(np.divide(right, pixels, out=np.full(len(self), np.nan), where=pixels > 0))

    def select(self, chosen: Sequence[int]) -> PixelRecord:
        """Some of the images, in the order given.

        Args:
            chosen: Their positions.
        """
        return replace(
            self,
            **select_names(self, chosen),
            **{name: getattr(self, name)[list(chosen)] for name in ("counts", "loss", "confidence")},
        )


@dataclass(frozen=True)
class LabelRecord:
    """The images of a classification data set.

    Attributes:
        images: Path of each image, below the data's folder where it lies there.
        groups: The group of each image; empty if the data set names none.
        names: The K classes, each different.
        label: Class number of each image.
        predicted: The class number with the highest probability.
        rank: Place of the label among the classes by probability; 1 is right.
        loss: Of each image.
        confidence: Probability of the predicted class.
    """

    images: Sequence[str]
    groups: Sequence[str]
    names: Sequence[str]
    label: Integers
    predicted: Integers
    rank: Integers
    loss: Floats
    confidence: Floats
    levels: Mapping[str, Sequence[str]] = field(default_factory=dict, init=False)

    def __len__(self) -> int:
        return len(self.images)

    def select(self, chosen: Sequence[int]) -> LabelRecord:
        """Some of the images, in the order given.

        Args:
            chosen: Their positions.
        """
        arrays = ("label", "predicted", "rank", "loss", "confidence")
        return replace(
            self,
            **select_names(self, chosen),
            **{name: getattr(self, name)[list(chosen)] for name in arrays},
        )


Record = PixelRecord | LabelRecord


def select_names(record: Record, chosen: Sequence[int]) -> dict[str, Any]:
    """Path and group of some images of a record.

    Args:
        record: Of a data set.
        chosen: The images' positions.
    """
    groups = [record.groups[place] for place in chosen] if record.groups else ()
    return {"images": [record.images[place] for place in chosen], "groups": groups}
