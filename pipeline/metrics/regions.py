"""Recall by the size of what is labelled: of connected regions, small, medium and large."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64, Integer
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from torch import Tensor

from foveate.pipeline.metrics.bands import check_ascending
from foveate.pipeline.metrics.distances import Map
from foveate.pipeline.metrics.pixels import Maps, PixelMetric, Pixels
from foveate.pipeline.metrics.tables import FigureTable, Value

COUNTS = ("regions", "found", "pixels", "right")


class Regions(NamedTuple):
    """The connected regions of a label map."""

    classes: Int64[np.ndarray, " N"]
    pixels: Int64[np.ndarray, " N"]
    right: Int64[np.ndarray, " N"]


class BySize(PixelMetric):
    """Recall by the size of labelled regions; the scalar is the share of the smallest regions that was found.

    A region is a connected set of pixels of one class in the label map (four neighbours), so two touching objects of a
    class are one region. Its size is its number of pixels. For each range of sizes are told: the regions, the share of
    them that was found (more than half of the pixels predicted rightly), and the share of their pixels that was. There
    is no IoU by size: pixels that are wrongly predicted as a class belong to no labelled region, so to no size.

    Args:
        num_classes: Number of classes K.
        sizes: Upper ends of the ranges: below 1 a share of the image's pixels, else pixels. The default is COCO's for
            objects: small up to 32 x 32, medium up to 96 x 96, and large.

    Raises:
        ValueError: The sizes are none, not positive, or not in ascending order.
    """

    regions: Tensor
    found: Tensor
    pixels: Tensor
    right: Tensor

    def __init__(self, num_classes: int, sizes: Sequence[float] = (1024, 9216)) -> None:
        super().__init__(num_classes)
        self.sizes = check_ascending("sizes", sizes)
        for name in COUNTS:
            self.add_counts(name, len(self.sizes) + 1, num_classes)

    def add(self, pixels: Pixels) -> None:
        """Add a batch whose labels are known to be classes.

        Args:
            pixels: The batch.
        """
        for maps in pixels.maps:
            found = find_regions(maps)
            ends = [size * maps.labels.size if size < 1 else size for size in self.sizes]
            places = np.searchsorted(ends, found.pixels) * self.num_classes + found.classes
            self._count("regions", places)
            self._count("found", places[2 * found.right > found.pixels])
            self._count("pixels", places, found.pixels)
            self._count("right", places, found.right)

    def compute(self) -> Float[Tensor, ""]:
        """The share of the smallest regions that was found; NaN where there is none."""
        return (self.found[0].sum() / self.regions[0].sum()).float()

    def tables(self, names: Sequence[str]) -> Sequence[FigureTable]:
        """What was found by size, over all classes and for each.

        Args:
            names: The names of the classes.
        """
        sizes = [*(f"up to {_name(size)}" for size in self.sizes), "larger"]
        regions, found, pixels, right = (getattr(self, name).cpu() for name in COUNTS)
        rows = [
            (size, _figures(*(part[place].sum() for part in (found, regions, right, pixels))))
            for place, size in enumerate(sizes)
        ]
        recall = (right.double() / pixels).tolist()
        classes = [(name, [row[place] for row in recall]) for place, name in enumerate(names)]
        columns = ("found", "recall", "regions", "pixels")
        by_class = FigureTable("by_size_and_class", "recall by the size of labelled regions", sizes, classes)
        return [
            FigureTable("by_size", "what was found by the size of labelled regions", columns, rows, "size"),
            by_class,
        ]

    def _count(
        self, name: str, places: Int64[np.ndarray, " N"], numbers: Int64[np.ndarray, " N"] | None = None
    ) -> None:
        state: Tensor = getattr(self, name)
        counts = np.bincount(places, numbers, minlength=state.numel()).astype(np.int64)  # exact: far below 2^53
        state += torch.from_numpy(counts).view(state.shape).to(state.device)


def _figures(found: Tensor, regions: Tensor, right: Tensor, pixels: Tensor) -> list[Value]:
    return [(found / regions).item(), (right / pixels).item(), int(regions), int(pixels)]


def _name(size: float) -> str:
    return f"{100 * size:g} % of the image" if size < 1 else f"{size:,g} pixels"


def find_regions(maps: Maps) -> Regions:
    """The connected regions of a label map, without those of ignored pixels.

    Runs of equal labels in rows are joined with the runs below that they touch: there are far fewer runs than pixels,
    and one pass serves all classes.

    Args:
        maps: Of one image.
    """
    labels = maps.labels
    begins = _run_begins(labels)
    starts = np.flatnonzero(begins)
    numbers = np.cumsum(begins.ravel(), dtype=np.int32).reshape(labels.shape) - np.int32(1)
    _, region = connected_components(_touching(labels, begins, numbers, len(starts)), directed=False)
    region = region.astype(np.int64)
    lengths = np.diff(np.append(starts, labels.size))
    right = np.add.reduceat(maps.right.ravel(), starts, dtype=np.int64) if len(starts) else lengths
    classes = np.zeros(int(region.max(initial=-1)) + 1, dtype=np.int64)
    classes[region] = labels.ravel()[starts]
    sums = [np.bincount(region, part, minlength=len(classes)).astype(np.int64) for part in (lengths, right)]
    kept = classes < maps.num_classes
    return Regions(classes[kept], sums[0][kept], sums[1][kept])


def _run_begins(labels: Map) -> Bool[np.ndarray, "H W"]:
    begins = np.ones(labels.shape, dtype=bool)
    begins[:, 1:] = labels[:, 1:] != labels[:, :-1]
    return begins


def _touching(
    labels: Map, begins: Bool[np.ndarray, "H W"], numbers: Integer[np.ndarray, "H W"], runs: int
) -> coo_array:
    """A link for each pair of runs, one above the other, with one label: where the later of the two begins."""
    places = np.flatnonzero((labels[1:] == labels[:-1]) & (begins[1:] | begins[:-1]))
    above, below = numbers[:-1].ravel()[places], numbers[1:].ravel()[places]
    return coo_array((np.ones(len(places), dtype=np.int8), (above, below)), shape=(runs, runs))
