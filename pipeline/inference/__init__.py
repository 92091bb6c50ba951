"""From images of any size to logits, probabilities or classes: whole, in windows, at several scales."""

from __future__ import annotations

from foveate.pipeline.inference.config import InferenceConfig
from foveate.pipeline.inference.logits import coarse_decoder, infer, infer_areas, infer_classes
from foveate.pipeline.inference.scored import ScoredArea
from foveate.pipeline.inference.windows import windows

__all__ = ["InferenceConfig", "ScoredArea", "coarse_decoder", "infer", "infer_areas", "infer_classes", "windows"]
