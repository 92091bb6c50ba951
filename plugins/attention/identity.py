"""No attention at all."""

from __future__ import annotations

from torch import nn


def identity(channels: int) -> nn.Module:
    """The identity, for the baseline of a comparison.

    Args:
        channels: Width of the features; any will do.
    """
    del channels
    return nn.Identity()
