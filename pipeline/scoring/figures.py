"""Figures of scored files for JSON, and the table for the screen."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float64, Int64

from foveate.pipeline.metrics.report import Report
from foveate.pipeline.scoring.conventions import Convention
from foveate.pipeline.scoring.counting import Counts
from foveate.pipeline.scoring.official import Level, OfficialScores, mean_of


def plain_figures(counts: Counts, convention: Convention) -> dict[str, Any]:
    """IoU, accuracy and pixels of each class, with the means, as `foveate validate` computes them.

    Args:
        counts: Of all frames.
        convention: The classes.
    """
    names, classes = convention.labels.names, len(convention.labels)
    confusion = counts.confusion[:, :classes]
    right, labelled = confusion.diagonal(), counts.confusion.sum(1)
    iou = _divided(right, labelled + confusion.sum(0) - right)
    accuracy = _divided(right, labelled)
    return {
        "miou": or_none(mean_of(iou)),
        "macc": or_none(mean_of(accuracy)),
        "aacc": or_none(float(right.sum() / labelled.sum()) if labelled.any() else math.nan),
        "iou": _by_name(names, iou),
        "accuracy": _by_name(names, accuracy),
        "pixels": dict(zip(names, labelled.tolist(), strict=True)),
        "confusion": confusion.tolist(),
        "no_class": int(counts.confusion[:, classes].sum()),
    }


def _divided(over: Int64[np.ndarray, " K"], under: Int64[np.ndarray, " K"]) -> Float64[np.ndarray, " K"]:
    """Quotients, NaN where 0 is divided by 0."""
    quotients = np.full(len(over), math.nan)
    np.divide(over, under, out=quotients, where=under > 0)
    return quotients


def official_figures(scores: OfficialScores, counts: Counts, convention: Convention) -> dict[str, Any]:
    """Cityscapes' four scores, with the counts behind them.

    Args:
        scores: The scores.
        counts: Of all frames.
        convention: All 34 ids.
    """
    return {
        **_level_figures(scores.classes),
        "levels": {"categories": _level_figures(scores.categories)},
        "ids": dict(zip(convention.labels.names, convention.labels.ids, strict=True)),
        "confusion": counts.confusion[:, :-1].tolist(),
    }


def _level_figures(level: Level) -> dict[str, Any]:
    with_instances = {} if level.iiou is None else {"iiou": _by_name(level.names, level.iiou)}
    mean = {} if level.iiou is None else {"mean_iiou": or_none(level.mean_iiou)}
    return {"miou": or_none(level.miou), **mean, "iou": _by_name(level.names, level.iou), **with_instances}


def official_report(scores: OfficialScores, figures: Mapping[str, Any]) -> Report:
    """The table of Cityscapes' scores.

    Args:
        scores: The scores.
        figures: The content of a file.
    """
    levels = {"categories": _level_report(scores.categories, figures["levels"]["categories"], {})}
    return _level_report(scores.classes, figures, levels)


def _level_report(level: Level, figures: Mapping[str, Any], levels: Mapping[str, Report]) -> Report:
    columns = [level.iou] if level.iiou is None else [level.iou, level.iiou]
    rows = [(name, [float(values[place]) for values in columns]) for place, name in enumerate(level.names)]
    scored = " and ".join(str(int((~np.isnan(values)).sum())) for values in columns)
    means = [(f"mean of {scored}", [mean_of(values) for values in columns])]
    return Report(columns=("IoU", "iIoU")[: len(columns)], rows=rows, means=means, figures=figures, levels=levels)


def _by_name(names: Sequence[str], values: Float64[np.ndarray, " G"]) -> dict[str, float | None]:
    return dict(zip(names, map(or_none, values.tolist()), strict=True))


def or_none(value: float) -> float | None:
    """A number, or None for NaN, which JSON does not have."""
    return None if math.isnan(value) else value
