"""Foveate: trained models as functions of images. The rest is imported from its folders, such as foveate.plugins.

Example:
    import foveate

    predictor = foveate.load("runs/latest")
    predictor("street.jpg").overlay().save("overlay.png")
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from foveate.pipeline.predictor import Classification as Classification
    from foveate.pipeline.predictor import Predictor as Predictor
    from foveate.pipeline.predictor import Segmentation as Segmentation

    load = Predictor.load

__all__ = ["Classification", "Predictor", "Segmentation", "load"]


def __getattr__(name: str) -> Any:
    """The predictor and its results, imported when they are first asked for, since that imports torch."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from foveate.pipeline import predictor

    return predictor.Predictor.load if name == "load" else getattr(predictor, name)


def __dir__() -> list[str]:
    """The names that can be imported from here."""
    return sorted([*globals(), *__all__])
