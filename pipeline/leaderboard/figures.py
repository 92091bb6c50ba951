"""The figures of a record that follow from its counts: score, interval, classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foveate.pipeline.comparison.bootstrap import SCORES, draw_scores, interval
from foveate.pipeline.per_image.figures import pixel_score

DIGITS = 6  # of figures in [0, 1]
Counts = NDArray[np.float64]


def figures_of(counts: Counts, score: str, names: Sequence[str]) -> dict[str, Any]:
    """Score, interval over the images, and a figure of each class, as JSON values.

    Args:
        counts: One row per image: correct, labelled and predicted pixels of each class, or images.
        score: `mIoU`, with the IoU of each class, or `accuracy`, with the share of each class that is found.
        names: The classes.
    """
    total = counts.sum(0)
    each = _ious(total) if score == "mIoU" else _found(total)
    return {
        "name": score,
        "score": _rounded(float(SCORES[score](total))),
        "interval": [_rounded(end) for end in interval(draw_scores(counts, score))],
        "classes": {name: _rounded(value) for name, value in zip(names, each, strict=True)},
    }


def sums_of(confusion: NDArray[np.int64]) -> NDArray[np.int64]:
    """Correct, labelled and predicted of each class (3 K,), from a confusion matrix."""
    return np.concatenate([confusion.diagonal(), confusion.sum(1), confusion.sum(0)])


def differing(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Which of the figures differ.

    Args:
        before: Those in a record.
        now: Those computed from its counts.
    """
    found = [key for key, value in now.items() if key != "classes" and before.get(key) != value]
    classes = before.get("classes")
    if not isinstance(classes, Mapping) or list(classes) != list(now["classes"]):
        return [*found, "classes"]
    return [*found, *(name for name, value in now["classes"].items() if classes[name] != value)]


def _ious(total: Counts) -> list[float]:
    count = len(total) // 3
    return [float(value) for value in pixel_score((count,))(total)[3:]]


def _found(total: Counts) -> list[float]:
    right, labelled, _ = np.split(total, 3)
    return [float(a / b) if b else float("nan") for a, b in zip(right, labelled, strict=True)]


def _rounded(value: float) -> float | None:
    return None if np.isnan(value) else round(value, DIGITS)
