"""Top-k accuracy of a classifier, for any k."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float, Float64, Integer
from torch import Tensor

from foveate.pipeline.metrics.confusion import check_channels, check_classes
from foveate.pipeline.metrics.pixels import SharedMetric
from foveate.pipeline.metrics.tables import FigureTable


class TopK(SharedMetric):
    """Share of the images whose class is among the k most probable; the scalar is that of the first k.

    Args:
        num_classes: Number of classes K; a larger k counts as K.
        k: One or several numbers.

    Raises:
        ValueError: There is no k, or one below 1.
    """

    images: Tensor
    hits: Tensor

    def __init__(self, num_classes: int, k: Sequence[int] | int = (2, 3, 5)) -> None:
        super().__init__(num_classes)
        self.k = [k] if isinstance(k, int) else list(k)
        if not self.k or min(self.k) < 1:
            raise ValueError(f"k is a number of classes from 1, or a list of such, not {k}")
        self.add_counts("images", num_classes)
        self.add_counts("hits", len(self.k), num_classes)

    def update(self, logits: Float[Tensor, "B K"], labels: Integer[Tensor, " B"]) -> None:
        """Add a batch.

        Args:
            logits: Of the images.
            labels: Class of each image, from 0 to K - 1.

        Raises:
            UnusableDataError: A label is no class.
            ValueError: The logits have not K channels.
        """
        check_channels(logits, self.num_classes)
        check_classes(labels, self.num_classes)
        most = min(max(self.k), self.num_classes)
        among = (logits.topk(most).indices == labels[:, None]).cumsum(1).bool()
        self.images += torch.bincount(labels, minlength=self.num_classes)
        for place, k in enumerate(self.k):
            right = among[:, min(k, most) - 1]
            self.hits[place] += torch.bincount(labels[right], minlength=self.num_classes)

    def compute(self) -> Float[Tensor, ""]:
        """The share at the first k; NaN where nothing was counted."""
        return (self.hits[0].sum() / self.images.sum()).float()

    def tables(self, names: Sequence[str]) -> Sequence[FigureTable]:
        """The share of images at each k, of all and as the mean over classes; and of each class.

        Args:
            names: The names of the classes.
        """
        by_class = self._by_class()
        of_all = (self.hits.sum(1).double() / self.images.sum()).tolist()
        means = by_class.nanmean(1).tolist()
        columns = [f"top {k}" for k in self.k]
        rows = [(name, by_class[:, place].tolist()) for place, name in enumerate(names)]
        averages = [("mean (macro)", means), ("all images (micro)", of_all)]
        meaning = "images whose class is among the k most probable"
        return [FigureTable("top_k", meaning, columns, rows, means=averages)]

    def _by_class(self) -> Float64[Tensor, "k K"]:
        return self.hits.double() / self.images
