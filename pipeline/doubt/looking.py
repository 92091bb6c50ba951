"""One pass over the images of a network: counts what it says, and keeps the regions where it contradicts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import numpy as np
import torch

from foveate.datasets.errors import DamagedError
from foveate.datasets.threads import in_threads
from foveate.pipeline.doubt.evidence import Evidence
from foveate.pipeline.doubt.maps import Maps, maps_of
from foveate.pipeline.doubt.opening import Opened
from foveate.pipeline.doubt.ranking import Found
from foveate.pipeline.doubt.regions import Region, find_regions
from foveate.pipeline.doubt.shifts import find_shifts

THREADS = 4  # that read images
BATCH = 32  # images of a classifier
BAND = 300  # of the short side of an image is a pixel of the border
LEAST_BAND = 2  # pixels
SMALLEST = 1 / 5000  # of an image is the smallest region
Advance = Callable[[int, int], None]


@dataclass(frozen=True)
class Search:
    """What counts as a region.

    Attributes:
        band: Pixels along a region's border that are not counted; None for one of each 300 of an image's short side, at
            least 2.
        min_area: Smallest area in pixels; None for one of each 5000 of an image.
    """

    band: int | None = None
    min_area: int | None = None

    def of(self, size: tuple[int, ...]) -> tuple[int, int]:
        """Band and smallest area for an image.

        Args:
            size: Its height and width.

        Example:
            >>> Search().of((1024, 2048)), Search(min_area=9).of((128, 256))
            ((3, 419), (2, 9))
        """
        band = max(LEAST_BAND, round(min(size) / BAND)) if self.band is None else self.band
        least = max(1, round(size[0] * size[1] * SMALLEST)) if self.min_area is None else self.min_area
        return band, least


@dataclass
class Seen:
    """What a pass found.

    Attributes:
        evidence: The counts.
        found: The regions.
        images: Images that were read.
        damaged: Why the others could not be.
    """

    evidence: Evidence
    found: list[Found] = field(default_factory=list)
    images: int = 0
    damaged: list[str] = field(default_factory=list)

    def add(self, other: Seen) -> None:
        """Add another pass.

        Args:
            other: With the same classes.
        """
        self.evidence.add(other.evidence)
        self.found += other.found
        self.images += other.images
        self.damaged += other.damaged


def look(opened: Opened, search: Search, advance: Advance, source: int = 0) -> Seen:
    """Look at every image of a checkpoint's split.

    Args:
        opened: Network and images.
        search: What counts as a region.
        advance: Told the images that are done, and all.
        source: The network's number.
    """
    seen = Seen(Evidence(opened.task.num_classes))
    samples = _samples(opened.dataset, seen.damaged)
    total = len(opened.dataset)
    for done, (index, path, regions) in enumerate(_regions(opened, samples, search, seen.evidence), start=1):
        seen.found += [Found(source=source, index=index, image=path, region=region) for region in regions]
        seen.images = done
        advance(done, total)
    return seen


def maps_at(opened: Opened, index: int) -> Maps:
    """Label and prediction of an image of a segmenter.

    Args:
        opened: Network and images.
        index: The image's position.
    """
    return _maps(opened, opened.dataset[index])


def _samples(dataset: Any, damaged: list[str]) -> Iterator[tuple[int, dict[str, Any]]]:
    """Position and sample of each image that can be read; reads ahead."""

    def read(index: int) -> tuple[int, dict[str, Any]] | str:
        try:
            return index, dataset[index]
        except DamagedError as error:
            return " ".join(str(error).split())

    for one in in_threads(read, range(len(dataset)), threads=THREADS):
        if isinstance(one, str):
            damaged.append(one)
        else:
            yield one


def _regions(
    opened: Opened, samples: Iterable[tuple[int, dict[str, Any]]], search: Search, evidence: Evidence
) -> Iterator[tuple[int, str, list[Region]]]:
    """Position, path and regions of each image; counts on the way."""
    if not opened.segments:
        yield from _of_images(opened, samples, evidence)
        return
    for index, sample in samples:
        maps = _maps(opened, sample)
        here = maps.is_labelled
        evidence.update(maps.label[here], maps.predicted[here], maps.of_label[here])
        yield index, str(sample["path"]), regions_of(maps, search)


def regions_of(maps: Maps, search: Search) -> list[Region]:
    """The regions of an image: displaced objects, and connected areas of one label and one prediction.

    Args:
        maps: Label and prediction.
        search: What counts as a region.
    """
    band, min_area = search.of(maps.label.shape)
    shifts, told = find_shifts(maps, band=band, min_area=min_area)
    return [*shifts, *find_regions(maps, band=band, min_area=min_area, told=told)]


def _maps(opened: Opened, sample: dict[str, Any]) -> Maps:
    return maps_of(opened.logits(sample["image"][None])[0], sample["mask"])


def _of_images(
    opened: Opened, samples: Iterable[tuple[int, dict[str, Any]]], evidence: Evidence
) -> Iterator[tuple[int, str, list[Region]]]:
    """The same for a classifier: an image whose label is contradicted is a region."""
    waiting = iter(samples)
    while some := list(islice(waiting, BATCH)):
        images = torch.stack([sample["image"] for _, sample in some])
        shares = opened.logits(images).float().softmax(1).cpu().numpy()
        label = np.array([int(sample["label"]) for _, sample in some], dtype=np.int64)
        predicted = shares.argmax(1).astype(np.int64)
        of_label, of_predicted = (shares[np.arange(len(label)), classes] for classes in (label, predicted))
        evidence.update(label, predicted, of_label)
        for place, (index, sample) in enumerate(some):
            region = Region(
                kind="image",
                box=(0, 0, 0, 0),
                area=1,
                labelled=int(label[place]),
                predicted=int(predicted[place]),
                confidence=float(of_predicted[place]),
                label_confidence=float(of_label[place]),
            )
            yield index, str(sample["path"]), [region] if label[place] != predicted[place] else []
