"""The model of a server, from a predictor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from foveate.pipeline.predictor.inputs import take_image
from foveate.pipeline.predictor.predictor import Predictor
from foveate.pipeline.predictor.source import Source
from foveate.pipeline.serving.application import Model, Pixels


def model_of(source: Source, max_pixels: int, **options: Any) -> Model:
    """A model that decodes images as its evaluation does, and refuses large ones by their header.

    Args:
        source: The trained model.
        max_pixels: Of the largest image.
        options: Of the predictor.
    """
    limited = replace(source, reader=replace(source.reader, max_pixels=max_pixels))
    predictor = Predictor(limited, **options)

    def decode(data: bytes) -> Pixels:
        is_classifier = limited.kind == "classification"
        return take_image(data, "the image", limited.reader, limited.channels, rgb=is_classifier).pixels

    def predict(images: Sequence[Pixels]) -> Sequence[Any]:
        results: list[Any] = predictor(list(images))
        return results

    return Model(Path(source.name).name, source.kind, source.labels.names, decode, predict)
