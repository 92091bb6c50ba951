"""The picture of why a network answers as it does."""

from __future__ import annotations

import importlib
import importlib.util
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

EXPLANATION = "foveate.pipeline.explanation"
NEEDED = ("captum", "matplotlib")


def can_explain() -> bool:
    """Whether what explains predictions is installed."""
    return all(importlib.util.find_spec(name) is not None for name in (EXPLANATION, *NEEDED))


def explained(predictor: Any, image: Any) -> Any:
    """Grad-CAM, receptive field and attention maps as one picture, an array (H, W, 3).

    Args:
        predictor: The model.
        image: What it takes.

    Raises:
        ConfigError: The model has no gradients.
        UnusableDataError: The image is damaged.
    """
    explanation = importlib.import_module(EXPLANATION)
    found = explanation.explain(predictor, image)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "explained.png"
        explanation.draw_explanation(found, path, title=found.name)
        with Image.open(path) as picture:
            return np.array(picture.convert("RGB"))
