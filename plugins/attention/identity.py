"""No attention at all."""

from __future__ import annotations

from torch import nn


def identity(channels: int) -> nn.Module:
    """The identity, as the baseline of a comparison.

    Args:
        channels: Number of channels; not used.
    """
    del channels
    return nn.Identity()
