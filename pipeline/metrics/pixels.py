"""A batch of label maps as the figures see it: what several of them need is computed once."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64, Integer
from torch import Tensor
from torchmetrics import Metric

from foveate.datasets.labels import IGNORE
from foveate.pipeline.metrics.confusion import check_channels, count_confusion
from foveate.pipeline.metrics.distances import Distances, Map, find_edges, measure_distances
from foveate.pipeline.metrics.tables import FigureTable


class Maps:
    """Label map and predicted map of one image, in main memory, with their edges and distances.

    Pixels that are ignored have the number K in both maps. So they are in no class, and a boundary between a class and
    ignored pixels is the same in both.

    Args:
        labels: The label map.
        predicted: The predicted classes.
        num_classes: Number of classes K.
    """

    def __init__(self, labels: Integer[Tensor, "H W"], predicted: Int64[Tensor, "H W"], num_classes: int) -> None:
        void = labels == IGNORE
        kind = torch.uint8 if num_classes <= IGNORE else torch.int32
        self.num_classes = num_classes
        self.labels: Map = _as_map(labels, void, kind, num_classes)
        self.predicted: Map = _as_map(predicted, void, kind, num_classes)
        self._distances: dict[str, Distances] = {}

    @cached_property
    def right(self) -> Bool[np.ndarray, "H W"]:
        """Where both maps are equal, ignored pixels included."""
        return np.asarray(self.labels == self.predicted)

    @cached_property
    def wrong(self) -> Int64[np.ndarray, " N"]:
        """The flat places where they differ."""
        return np.flatnonzero(~self.right)

    @cached_property
    def label_edges(self) -> Bool[np.ndarray, "H W"]:
        """Edges of the labels."""
        return find_edges(self.labels)

    @cached_property
    def predicted_edges(self) -> Bool[np.ndarray, "H W"]:
        """Edges of the predicted classes."""
        return find_edges(self.predicted)

    def label_distances(self, furthest: int) -> Distances:
        """Distances to the nearest pixel with another label.

        Args:
            furthest: Larger ones are not told apart.
        """
        return self._measured("labels", self.label_edges, furthest)

    def predicted_distances(self, furthest: int) -> Distances:
        """Distances to the nearest pixel with another predicted class.

        Args:
            furthest: Larger ones are not told apart.
        """
        return self._measured("predicted", self.predicted_edges, furthest)

    def _measured(self, which: str, edges: Bool[np.ndarray, "H W"], furthest: int) -> Distances:
        known = self._distances.get(which)
        enough = max(furthest, 250)  # a transform costs the same whatever is asked, and then serves the next figure
        if known is None or (known.dtype == np.uint8 and furthest > 250):
            known = self._distances[which] = measure_distances(edges, enough)
        return known


def _as_map(values: Tensor, void: Tensor, kind: torch.dtype, num_classes: int) -> Map:
    return values.to(kind, copy=True).masked_fill_(void, num_classes).cpu().numpy()


class Pixels:
    """Logits and labels of a batch, with what is made of them at the first request.

    Args:
        logits: Of the pixels.
        labels: Their labels; 255 is ignored.

    Raises:
        ValueError: Logits and labels have not one size.
    """

    def __init__(
        self,
        logits: Float[Tensor, "B K H W"],
        labels: Integer[Tensor, "B H W"],
    ) -> None:
        if logits[:, 0].shape != labels.shape:
            raise ValueError(f"logits of shape {tuple(logits.shape)} for labels of shape {tuple(labels.shape)}")
        self.logits = logits
        self.labels = labels
        self.num_classes = logits.shape[1]

    @property
    def predicted(self) -> Int64[Tensor, "B H W"]:
        """The class of the largest logit, the first one if several are equal."""
        return self._largest[1]

    @property
    def largest(self) -> Float[Tensor, "B H W"]:
        """The largest logit."""
        return self._largest[0]

    @cached_property
    def _largest(self) -> tuple[Tensor, Tensor]:
        values, classes = self.logits.max(1)
        return values, classes

    @cached_property
    def confusion(self) -> Int64[Tensor, "K K"]:
        """Counts of each pair of label and prediction; checks the labels."""
        return count_confusion(self.predicted, self.labels, self.num_classes, trusted=True)

    @cached_property
    def maps(self) -> list[Maps]:
        """The maps of each image."""
        pairs = zip(self.labels, self.predicted, strict=True)
        return [Maps(labels, predicted, self.num_classes) for labels, predicted in pairs]


class SharedMetric(Metric):
    """Base of metrics that may be updated by a batch of label maps that others share: each part is computed once.

    Their `update` takes logits, labels, and optionally the `Pixels` of both. All their states are whole numbers and
    are summed over batches and processes, so that neither their order nor their number changes a figure.

    Args:
        num_classes: Number of classes K.
    """

    is_differentiable = False
    higher_is_better = True
    full_state_update = False

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.num_classes = num_classes

    def add_counts(self, name: str, *sizes: int) -> None:
        """Add a state of whole numbers, 0 at first and summed over processes.

        Args:
            name: Of the attribute.
            *sizes: Its shape.
        """
        self.add_state(name, torch.zeros(sizes, dtype=torch.long), dist_reduce_fx="sum")

    def tables(self, names: Sequence[str]) -> Sequence[FigureTable]:
        """The tables of what was counted so far.

        Args:
            names: The names of the classes.
        """
        raise NotImplementedError


class PixelMetric(SharedMetric):
    """Base of the figures that only label maps have.

    Args:
        num_classes: Number of classes K.
    """

    def update(
        self, logits: Float[Tensor, "B K H W"], labels: Integer[Tensor, "B H W"], pixels: Pixels | None = None
    ) -> None:
        """Add a batch.

        Args:
            logits: Of the pixels.
            labels: Class numbers from 0 to K - 1, or 255, which is left out.
            pixels: The same batch, if other metrics share it.

        Raises:
            UnusableDataError: A label is neither a class nor 255.
            ValueError: The logits have not K channels, or another size than the labels.
        """
        check_channels(logits, self.num_classes)
        pixels = Pixels(logits, labels) if pixels is None else pixels
        assert pixels.confusion is not None  # checks the labels, once for all metrics
        self.add(pixels)

    def add(self, pixels: Pixels) -> None:
        """Add a batch whose labels are known to be classes.

        Args:
            pixels: The batch.
        """
        raise NotImplementedError
