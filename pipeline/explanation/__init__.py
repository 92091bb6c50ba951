"""Why a network answers as it does for one image: Grad-CAM, receptive field and the attention maps of its blocks."""

from __future__ import annotations

from foveate.pipeline.explanation.explain import Explanation, explain
from foveate.pipeline.explanation.picture import draw_explanation

__all__ = ["Explanation", "draw_explanation", "explain"]
