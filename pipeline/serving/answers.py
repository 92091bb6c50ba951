"""What a client gets: pictures as PNG, numbers as JSON."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any

import numpy as np
from PIL import Image

from foveate.pipeline.predictor import Classification, Segmentation
from foveate.pipeline.serving.refusal import Refused
from foveate.plugins.hints import did_you_mean

PNG, JSON = "image/png", "application/json"
TOP = 5  # classes of an image
Answer = tuple[bytes, str]


def label_map(result: Segmentation) -> Answer:
    """The data set's own id of each pixel, as `foveate predict` writes it."""
    return _png(Image.fromarray(result.label_set.to_regular_ids()[result.labels]))


def overlay(result: Segmentation) -> Answer:
    """The image under the colours of its classes."""
    return _png(result.overlay())


def confidence(result: Segmentation) -> Answer:
    """The probability of each pixel's class, 255 for 1."""
    return _png(Image.fromarray((result.confidence * 255).round().astype(np.uint8)))


def summary(result: Segmentation) -> Answer:
    """Size, and of each class that occurs its share of the pixels."""
    shares = result.shares()
    height, width = result.labels.shape
    settings = zip(result.classes, result.label_set.ids, result.label_set.colours, strict=True)
    classes = [
        {"name": name, "id": number, "colour": list(colour), "share": round(shares[name], 6)}
        for name, number, colour in settings
        if shares[name] > 0
    ]
    mean = round(float(result.confidence.mean()), 4)
    return _json({"kind": "segmentation", "height": height, "width": width, "confidence": mean, "classes": classes})


def polygons(result: Segmentation) -> Answer:
    """The regions as a GeoJSON feature collection, in pixels."""
    return _json({"type": "FeatureCollection", "features": result.polygons("geojson")})


def top_classes(result: Classification) -> Answer:
    """The most probable classes with their probabilities."""
    top = [{"name": name, "probability": round(value, 6)} for name, value in result.top(TOP)]
    return _json({"kind": "classification", "label": result.label, "top": top})


SEGMENTATION: dict[str, Callable[[Segmentation], Answer]] = {
    "labels": label_map,
    "overlay": overlay,
    "confidence": confidence,
    "json": summary,
    "polygons": polygons,
}
CLASSIFICATION: dict[str, Callable[[Classification], Answer]] = {"json": top_classes}


def chosen_output(kind: str, output: str | None, accept: str) -> str:
    """The name of the answer that a client asks for.

    Args:
        kind: segmentation or classification.
        output: What the URL says, if anything.
        accept: What the header Accept says; JSON is given to who accepts JSON and no pictures.

    Raises:
        Refused: There is no such answer.

    Example:
        >>> chosen_output("segmentation", None, "*/*"), chosen_output("segmentation", None, "application/json")
        ('labels', 'json')
    """
    offered: dict[str, Any] = dict(SEGMENTATION if kind == "segmentation" else CLASSIFICATION)
    if output is None:
        wants_json = JSON in accept and "image/" not in accept
        return "json" if wants_json or kind != "segmentation" else "labels"
    if output not in offered:
        hint = did_you_mean(output, offered)
        raise Refused(400, f"no output {output!r}{hint} (this model offers: {', '.join(offered)})")
    return output


def answer(result: Segmentation | Classification, output: str) -> Answer:
    """Content and media type of an answer.

    Args:
        result: The prediction.
        output: The name of the answer.
    """
    if isinstance(result, Segmentation):
        return SEGMENTATION[output](result)
    return CLASSIFICATION[output](result)


def _png(picture: Image.Image) -> Answer:
    file = io.BytesIO()
    picture.save(file, format="PNG", compress_level=1)
    return file.getvalue(), PNG


def _json(content: dict[str, Any]) -> Answer:
    return json.dumps(content).encode(), JSON
