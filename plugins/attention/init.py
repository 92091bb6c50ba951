"""Initialisation of a block: its default, or as the identity."""

from __future__ import annotations

from typing import Literal

from torch import nn

Init = Literal["default", "identity"]
OPEN = 4.0  # sigmoid(4) = 0.98: nearly open, with a gradient large enough to close the gate again


def starts_as_identity(init: str) -> bool:
    """Whether `init` asks a block to start as the identity.

    Args:
        init: `default` or `identity`.

    Raises:
        ValueError: It is neither.

    Example:
        >>> starts_as_identity("identity"), starts_as_identity("default")
        (True, False)
    """
    if init not in ("default", "identity"):
        raise ValueError(f"init is 'default' or 'identity', not {init!r}")
    return init == "identity"


def answer_always(layer: nn.Conv2d | nn.Linear | nn.BatchNorm2d, value: float) -> None:
    """Make a layer's output constant: weights 0, bias `value`. Training changes both from the first step on.

    Args:
        layer: The layer, changed in place.
        value: Its output at every position, if the layer has a bias; 0 otherwise.
    """
    nn.init.zeros_(layer.weight)
    if layer.bias is not None:
        nn.init.constant_(layer.bias, value)
