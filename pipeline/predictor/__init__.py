"""A trained model as a function of images: `Predictor.load("runs/latest")("photo.jpg").labels`."""

from __future__ import annotations

from foveate.pipeline.predictor.predictor import Predictor
from foveate.pipeline.predictor.results import Classification, Segmentation

__all__ = ["Classification", "Predictor", "Segmentation"]
