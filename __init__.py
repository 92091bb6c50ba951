"""Training, comparing and applying models from Python. The rest is imported from its folders, such as foveate.plugins.

Example:
    import foveate as fv

    run = fv.fit("camvid_segnext_t", data={"root": "camvid"}, trainer={"max_steps": 2000})
    predictor = fv.load("runs/latest")
    predictor("street.jpg").overlay().save("overlay.png")
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from foveate.pipeline.api.comparing import Comparison as Comparison
    from foveate.pipeline.api.comparing import compare as compare
    from foveate.pipeline.api.fitting import fit as fit
    from foveate.pipeline.api.listing import list_blocks as list_blocks
    from foveate.pipeline.api.trained_run import TrainedRun as TrainedRun
    from foveate.pipeline.models import create_model as create_model
    from foveate.pipeline.models import list_models as list_models
    from foveate.pipeline.predictor import Classification as Classification
    from foveate.pipeline.predictor import Predictor as Predictor
    from foveate.pipeline.predictor import Segmentation as Segmentation

    load = Predictor.load

HOMES = {
    "Classification": "predictor",
    "Comparison": "api.comparing",
    "Predictor": "predictor",
    "Segmentation": "predictor",
    "TrainedRun": "api.trained_run",
    "compare": "api.comparing",
    "create_model": "models",
    "fit": "api.fitting",
    "list_blocks": "api.listing",
    "list_models": "models",
    "load": "predictor",
}

__all__ = [
    "Classification",
    "Comparison",
    "Predictor",
    "Segmentation",
    "TrainedRun",
    "compare",
    "create_model",
    "fit",
    "list_blocks",
    "list_models",
    "load",
]


def __getattr__(name: str) -> Any:
    """A name of `__all__`, imported when it is first asked for, since that imports torch."""
    if name not in HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = import_module(f"foveate.pipeline.{HOMES[name]}")
    return home.Predictor.load if name == "load" else getattr(home, name)


def __dir__() -> list[str]:
    """The names that can be imported from here."""
    return sorted([*globals(), *__all__])
