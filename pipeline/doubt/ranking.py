"""Which regions are doubted, and in which order."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from foveate.pipeline.doubt.evidence import Evidence
from foveate.pipeline.doubt.regions import Region

SURE = 0.5  # of a class's threshold
LEAST = 1e-4  # a probability below counts as this: how sure a network is beyond that tells nothing


@dataclass(frozen=True, kw_only=True)
class Found:
    """A region of an image.

    Attributes:
        source: Which network found it; 0 without folds.
        index: The image's position among those of the network.
        image: Its file.
        region: The region.
    """

    source: int
    index: int
    image: str
    region: Region


@dataclass(frozen=True, kw_only=True)
class Doubt:
    """A region that is doubted.

    Attributes:
        found: The region and its image.
        score: The higher the more it is doubted.
    """

    found: Found
    score: float


def rank(found: Iterable[Found], evidence: Evidence) -> list[Doubt]:
    """The doubted regions, the most doubtful first, whatever order they were found in.

    Args:
        found: The regions of all images.
        evidence: What was counted over all images.
    """
    thresholds, rates = evidence.thresholds(), evidence.rates()
    doubts = [Doubt(found=one, score=score(one.region, rates)) for one in found if is_confident(one.region, thresholds)]
    return sorted(doubts, key=lambda doubt: (-doubt.score, doubt.found.image, doubt.found.region.box))


def is_confident(region: Region, thresholds: NDArray[np.float64]) -> bool:
    """Whether the network is at least half as sure of its class as it is on average where that is the label.

    As sure would ask too much of a region: a network is less sure of an object whose label it was taught wrongly, and
    of one that stands alone. In the benchmark that halved the planted faults that are found.

    Args:
        region: The region.
        thresholds: Of each class.
    """
    return bool(region.confidence >= SURE * thresholds[region.predicted])


def score(region: Region, rates: NDArray[np.float64]) -> float:
    """How doubtful a region is, in nats times pixels of its side.

    Two logarithms are added, and multiplied by the square root of the area: how many times more probable the prediction
    is than the label, and how rare such a prediction is where that is the label. The second lets what a network often
    confuses count less, such as walls and houses.

    Args:
        region: The region.
        rates: The share of the pixels with label i that are predicted as j.
    """
    odds = np.log(max(region.confidence, LEAST) / max(region.label_confidence, LEAST))
    labelled, predicted = region.labelled, region.predicted
    rate = rates[labelled, predicted] if labelled != predicted else 1 - rates[labelled, labelled]  # a displaced label
    return float((odds - np.log(max(rate, LEAST))) * region.area**0.5)
