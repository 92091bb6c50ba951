"""Models by name. Listing them imports no torch."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from foveate.pipeline.errors import ConfigError
from foveate.plugins.hints import did_you_mean
from foveate.plugins.records import resolve

if TYPE_CHECKING:
    from torch import nn

    from foveate.pipeline.models.slots import Attention

# Each name belongs to a family, which is a function `(name, *, num_classes, attention, **options) -> nn.Module`.
_FAMILIES = {
    "foveate.pipeline.models.segnext:create_segnext": ("segnext_t", "segnext_s", "segnext_b", "segnext_l"),
}


def list_models() -> list[str]:
    """The names that `create_model` accepts.

    Example:
        >>> list_models()[0]
        'segnext_t'
    """
    return [name for names in _FAMILIES.values() for name in names]


def create_model(name: str, *, num_classes: int, attention: Attention | None = None, **options: Any) -> nn.Module:
    """Build a model by name, from nothing.

    Args:
        name: One of `list_models()`.
        num_classes: Number of classes.
        attention: What sits in the model's attention slots, such as `{"gate": "lka", "stage": ["cbam"]}`.
        options: What else the family takes; see its function.

    Raises:
        ConfigError: The name or an option is unknown.
        PluginError: A block is unknown or cannot be built.

    Example:
        >>> model = create_model("segnext_t", num_classes=19, attention={"gate": "lka"})
        >>> model.encoder.channels
        (32, 64, 160, 256)
    """
    family = next((family for family, names in _FAMILIES.items() if name in names), None)
    if family is None:
        raise ConfigError(_unknown("network", name, list_models()))
    build = resolve(family)
    accepted = [p for p in inspect.signature(build).parameters if p not in ("name", "num_classes", "attention")]
    for option in options:
        if option not in accepted:
            raise ConfigError(_unknown(f"option of {name}", option, accepted))
    return build(name, num_classes=num_classes, attention=attention, **options)


def _unknown(what: str, given: str, accepted: list[str]) -> str:
    return f"no {what} named {given!r}{did_you_mean(given, accepted)} (accepted: {', '.join(accepted)})"
