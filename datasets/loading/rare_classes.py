"""An epoch in which crops hold rare classes more often."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64, Int64

from foveate.datasets.counting.classes import ClassCounts
from foveate.datasets.errors import DataError
from foveate.datasets.loading.train_order import Indices

TEMPERATURE = 0.01  # of the paper: classes of less than about a hundredth of the pixels are drawn alike
ANY = -1  # no class that a crop is to show


def rare_class_probabilities(pixels: Int64[np.ndarray, " K"]) -> Float64[np.ndarray, " K"]:
    """How often each class is drawn: P(c) is proportional to exp((1 - f) / 0.01), f being its share of the pixels.

    A class without a pixel is never drawn.

    Args:
        pixels: Labelled pixels of each class.

    Raises:
        DataError: No pixel is labelled.

    Source:
        Hoyer et al. 2022, DAFormer, section 3.3 (arXiv:2111.14887).

    Example:
        >>> rare_class_probabilities(np.array([970, 20, 10, 0])).round(3).tolist()
        [0.0, 0.269, 0.731, 0.0]
    """
    if not pixels.any():
        raise DataError("rare classes: no pixel of the train split is labelled")
    shares = pixels / pixels.sum()
    rarest = shares[pixels > 0].min()
    weights = np.where(pixels > 0, np.exp((rarest - shares) / TEMPERATURE), 0.0)
    return np.asarray(weights / weights.sum(), dtype=np.float64)


class RareClassOrder:
    """An epoch of which a part is drawn by class: first a class, then an image that holds it.

    The other samples are those of an epoch in the natural order, so that images without rare classes are seen too.

    Args:
        counts: The classes of the images.
        share: Share of the samples that are drawn by class.
        times: Samples of each image in an epoch.

    Raises:
        DataError: No pixel is labelled.
    """

    def __init__(self, counts: ClassCounts, share: float, times: int = 1) -> None:
        self.presence = counts.presence
        self.probabilities = rare_class_probabilities(counts.statistics.pixels)
        self.share = share
        self.times = times

    def images(self, seed: int, epoch: int) -> Indices:
        """The images of an epoch, in order; as many as in the natural one.

        Args:
            seed: Decides the order, together with the epoch.
            epoch: Number of the epoch.
        """
        return self._draw(seed, epoch)[0]

    def targets(self, seed: int, epoch: int) -> Indices:
        """The class that was drawn for each of them, -1 where none was.

        Args:
            seed: As for `images`.
            epoch: Number of the epoch.
        """
        return self._draw(seed, epoch)[1]

    def _draw(self, seed: int, epoch: int) -> tuple[Indices, Indices]:
        count, random = len(self.presence) * self.times, np.random.default_rng([seed, epoch])
        images = random.permutation(count) % len(self.presence)
        targets = np.full(count, ANY, dtype=np.int64)
        chosen = random.permutation(count)[: round(self.share * count)]
        targets[chosen] = random.choice(len(self.probabilities), size=len(chosen), p=self.probabilities)
        for number in np.unique(targets[chosen]):
            places = np.flatnonzero(targets == number)
            images[places] = random.choice(self.presence.images_with(int(number)), size=len(places))
        return images, targets
