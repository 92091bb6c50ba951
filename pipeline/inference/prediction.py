"""What is predicted of each pixel of some images."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from foveate.pipeline.inference.large import empty_bytes
from foveate.pipeline.inference.scored import ScoredArea


class PixelPrediction(NamedTuple):
    """What is predicted of each pixel.

    Attributes:
        labels: Train ids (B, H, W), uint8.
        confidence: The probability of that class (B, H, W), 0 to 255, uint8; None if it was not asked for.
        probabilities: Probabilities of chosen classes (B, k, H, W), float16; None if they were not asked for.
    """

    labels: Tensor
    confidence: Tensor | None = None
    probabilities: Tensor | None = None


class Wanted(NamedTuple):
    """What a prediction holds besides the labels.

    Attributes:
        confidence: Whether it holds the confidences.
        classes: Train ids whose probabilities it holds.
    """

    confidence: bool = False
    classes: Sequence[int] = ()


def assemble(areas: Iterable[ScoredArea], size: tuple[int, int, int], wanted: Wanted) -> PixelPrediction:
    """A prediction from areas, in main memory.

    Args:
        areas: They cover the images once.
        size: Number, height and width of the images.
        wanted: What is predicted besides the labels.
    """
    labels = empty_bytes(size)
    confidence = empty_bytes(size) if wanted.confidence else None
    probabilities = None
    if wanted.classes:
        probabilities = torch.empty((size[0], len(wanted.classes), *size[1:]), dtype=torch.float16)
    for area in areas:
        place = (area.images, area.rows, area.columns)
        if confidence is None:
            classes = area.classes()
        else:
            classes, best = area.best()
            confidence[place] = (best * 255).round().to(confidence)
        labels[place] = classes.to(labels)
        if probabilities is not None:
            chosen = area.probabilities()[:, list(wanted.classes)]
            probabilities[area.images, :, area.rows, area.columns] = chosen.to(probabilities)
    return PixelPrediction(labels, confidence, probabilities)
