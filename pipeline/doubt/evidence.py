"""What is counted over all images: how sure the network is of each class, and what it takes for what."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

PARTS = 2**20  # probabilities are summed as whole numbers of such parts, so that the order does not matter
LEAST = 1e-6  # share of a class
Classes = NDArray[np.int64]
Shares = NDArray[np.float32]


class Evidence:
    """Counts of labels and predictions, K x K, whatever the number and size of the images.

    The threshold of a class is the mean probability that the network gives it where it is the label, so that a class of
    which the network is never sure is not held to the standard of one of which it always is.

    Args:
        num_classes: Number K of classes.

    Attributes:
        confusion: How many pixels have label i and prediction j.

    Source:
        Northcutt et al. 2021, Confident Learning (arXiv:1911.00068), equations 1 and 2.
    """

    def __init__(self, num_classes: int) -> None:
        self.confusion: NDArray[np.int64] = np.zeros((num_classes, num_classes), dtype=np.int64)
        self._sums: NDArray[np.int64] = np.zeros(num_classes, dtype=np.int64)

    def update(self, label: Classes, predicted: Classes, of_label: Shares) -> None:
        """Count the labelled pixels of an image, or images.

        Args:
            label: Class of each pixel; none is ignored.
            predicted: The most probable class of each.
            of_label: Probability of the label of each.
        """
        classes = len(self._sums)
        pairs = np.bincount(label * classes + predicted, minlength=classes * classes)
        self.confusion += pairs.reshape(classes, classes)
        parts = np.rint(of_label.astype(np.float64) * PARTS)
        self._sums += np.bincount(label, weights=parts, minlength=classes).astype(np.int64)  # exact below 2^53

    def add(self, other: Evidence) -> None:
        """Add what was counted elsewhere, as of other folds.

        Args:
            other: With the same classes.
        """
        self.confusion += other.confusion
        self._sums += other._sums

    def rates(self) -> NDArray[np.float64]:
        """The share of the pixels with label i that are predicted as j; at least a millionth."""
        return np.asarray(np.maximum(self.confusion / np.maximum(self.confusion.sum(axis=1, keepdims=True), 1), LEAST))

    def thresholds(self) -> NDArray[np.float64]:
        """The threshold of each class; of a class without labels, the mean of the others."""
        counts = self.confusion.sum(axis=1)
        labelled = counts > 0
        if not labelled.any():
            return np.ones(len(counts))
        means = self._sums / np.maximum(counts, 1) / PARTS
        return np.asarray(np.where(labelled, means, means[labelled].mean()))
