"""What the page shows of a prediction, without any library of pages."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import UInt8

from foveate.pipeline.predictor import Classification, Segmentation

Picture = UInt8[np.ndarray, "H W 3"]
Result = Segmentation | Classification
TOP = 5  # classes of an image
STOPS = np.array([[68, 1, 84], [59, 82, 139], [33, 145, 140], [94, 201, 98], [253, 231, 37]], dtype=np.float64)
ROW = (
    '<tr><td style="width:1.5em;background:{colour}"></td><td style="padding:0 .6em">{name}</td>'
    '<td style="text-align:right">{share:.1%}</td></tr>'
)


def overlay_of(result: Segmentation, opacity: float) -> Picture:
    """The image under the colours of its classes.

    Args:
        result: The prediction.
        opacity: Weight of the colours, 0 to 1.
    """
    return np.asarray(result.overlay(opacity))


def confidence_of(result: Segmentation) -> Picture:
    """The probability of each pixel's class: dark blue for the least that is possible, yellow for 1."""
    least = 1 / max(2, len(result.classes))
    values = ((result.confidence - least) / (1 - least)).clip(0, 1) * (len(STOPS) - 1)
    lower = np.minimum(values.astype(np.int64), len(STOPS) - 2)
    part = (values - lower)[..., None]
    picture: Picture = (STOPS[lower] * (1 - part) + STOPS[lower + 1] * part).round().astype(np.uint8)
    return picture


def table_of(result: Result) -> str:
    """A table in HTML: the classes of a segmentation with colour and share, the likeliest ones of a classification.

    Args:
        result: The prediction.
    """
    if isinstance(result, Classification):
        rows = [_row("transparent", name, value) for name, value in result.top(TOP)]
        return _table("class", "probability", rows)
    shares = result.shares()
    colours: dict[str, Any] = dict(zip(result.classes, result.label_set.colours, strict=True))
    present = sorted((name for name in shares if shares[name] > 0), key=lambda name: -shares[name])
    rows = [_row("rgb({},{},{})".format(*colours[name]), name, shares[name]) for name in present]
    return _table("class", "share of pixels", rows)


def difference_of(first: Segmentation, second: Segmentation) -> tuple[Picture, str]:
    """Where two models name different classes, in red over the image, and for how many pixels.

    Args:
        first: The prediction of one model.
        second: That of another one, of the same image.
    """
    names = np.array([*first.classes, *second.classes])
    differs = names[first.labels] != names[second.labels.astype(np.int64) + len(first.classes)]
    picture = overlay_of(first, 0.0).copy()
    picture[differs] = (255, 0, 0)
    return picture, f"The models name different classes in {differs.mean():.1%} of the pixels."


def _row(colour: str, name: str, share: float) -> str:
    return ROW.format(colour=colour, name=html.escape(name), share=share)


def _table(heading: str, value: str, rows: Sequence[str]) -> str:
    head = f'<tr><th></th><th style="padding:0 .6em;text-align:left">{heading}</th><th>{value}</th></tr>'
    return f"<table>{head}{''.join(rows)}</table>"
