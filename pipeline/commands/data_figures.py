"""What is told about a training split: figures for files, and lines of a recipe."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from foveate.datasets.split_survey import Survey
from foveate.pipeline.losses.class_weights import METHODS, class_weights_from_counts

SCHEMA = 1  # version of the JSON
DIGITS = 4  # significant, of suggested numbers


def figures_of(survey: Survey, names: Sequence[str]) -> dict[str, Any]:
    """The content of a JSON file.

    Args:
        survey: What was counted.
        names: Names of the classes.

    Raises:
        UnusableDataError: No pixel is labelled.
    """
    weights = suggested_weights(survey)
    counts = survey.classes
    total = max(1, int(counts.pixels.sum()))
    classes = [
        {
            "name": name,
            "pixels" if survey.objects else "images": int(counts.pixels[number]),
            "share": float(counts.pixels[number] / total),
            **(_of_objects(survey, number) if survey.objects else {}),
            "class_weights": {method: weights[method][number] for method in METHODS},
        }
        for number, name in enumerate(names)
    ]
    sizes = [{"height": h, "width": w, "images": count} for (h, w), count in survey.sizes.most_common()]
    images = {
        "total": survey.total,
        "measured": survey.measured,
        "mean": [_rounded(value, 6) for value in survey.mean],
        "std": [_rounded(value, 6) for value in survey.std],
        "sizes": sizes,
    }
    ignored = {} if survey.ignored is None else {"ignored": survey.ignored}
    return {"schema": SCHEMA, "split": "train", "images": images, **ignored, "classes": classes}


def _of_objects(survey: Survey, number: int) -> dict[str, Any]:
    assert survey.objects is not None
    sizes = survey.objects[number]
    sides = {"side_5": sizes.small, "side_median": sizes.median, "side_95": sizes.large}
    return {"images": int(survey.classes.images[number]), "objects": {"count": sizes.count, **sides}}


def suggested_weights(survey: Survey) -> dict[str, list[float]]:
    """The class weights of each method, as `class_weights: METHOD` computes them.

    Args:
        survey: What was counted.

    Raises:
        UnusableDataError: No pixel is labelled.
    """
    counts = survey.classes
    around = counts.image_pixels if survey.objects else np.full_like(counts.pixels, counts.pixels.sum())
    return {
        method: [_rounded(weight) for weight in class_weights_from_counts(method, counts.pixels, around)]
        for method in METHODS
    }


def recipe_lines(survey: Survey, weights: Sequence[float]) -> list[str]:
    """The lines of a recipe that follow from the figures.

    Args:
        survey: What was counted.
        weights: Class weights.
    """
    mean, std = (json.dumps([_rounded(value) for value in values]) for values in (survey.mean, survey.std))
    return [
        "model:",
        "  init_args:",
        f"    normalisation: {{mean: {mean}, std: {std}}}  # not with weights that bring theirs",
        f"    loss: {{name: cross_entropy, class_weights: {json.dumps(list(weights))}}}  # or class_weights: auto",
    ]


def _rounded(value: float, digits: int = DIGITS) -> float:
    return float(f"{value:.{digits}g}")
