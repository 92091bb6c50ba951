"""Checks of options that several blocks share, and the width of their squeezed layers."""

from __future__ import annotations

FLOOR = 8  # a 16-channel map divided by 16 would leave one channel to carry everything


def reduced_width(channels: int, reduction: int | None, default: int = 16) -> int:
    """Channels of a squeezed layer: as an explicit reduction says, else a `default`-th but at least 8.

    Example:
        >>> reduced_width(256, None), reduced_width(16, None), reduced_width(16, 4)
        (16, 8, 4)
    """
    if reduction is None:
        return max(channels // default, min(FLOOR, channels))
    if reduction < 1:
        raise ValueError(f"reduction is at least 1, not {reduction}")
    return max(channels // reduction, 1)


def check_odd(option: str, value: int) -> None:
    """Refuse a kernel that would shift or shrink the map."""
    if value < 1 or value % 2 == 0:
        raise ValueError(f"{option} is odd and at least 1, not {value}")


def check_positive(option: str, value: int) -> None:
    """Refuse zero and less."""
    if value < 1:
        raise ValueError(f"{option} is at least 1, not {value}")
