"""How a block starts: as usual, or as the identity."""

from __future__ import annotations

from typing import Literal

from torch import nn

Init = Literal["default", "identity"]
OPEN = 4.0  # sigmoid(4) = 0.98: nearly open, and steep enough to close again


def starts_as_identity(init: str) -> bool:
    """Whether a block is to let features through as they are until training moves it.

    Example:
        >>> starts_as_identity("identity"), starts_as_identity("default")
        (True, False)
    """
    if init not in ("default", "identity"):
        raise ValueError(f"init is 'default' or 'identity', not {init!r}")
    return init == "identity"


def answer_always(layer: nn.Conv2d | nn.Linear | nn.BatchNorm2d, value: float) -> None:
    """Make a layer give one number whatever comes in: weights 0, bias `value`; the first step moves both."""
    nn.init.zeros_(layer.weight)
    if layer.bias is not None:
        nn.init.constant_(layer.bias, value)
