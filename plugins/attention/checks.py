"""Checks of options that several blocks share, and the width of their hidden layers."""

from __future__ import annotations

import math

FLOOR = 8  # the narrowest default hidden layer: 16 channels divided by 16 would leave one


def reduced_width(channels: int, reduction: int | None, default: int = 16) -> int:
    """Number of channels of a hidden layer.

    Args:
        channels: Number of channels C of the feature map.
        reduction: The hidden layer has C / reduction channels, at least 1; None chooses C / default, but at least 8
            (or C, if that is less).
        default: The reduction that is used where none is given.

    Raises:
        ValueError: The reduction is less than 1.

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
    """Refuse a kernel size that is even or less than 1: it would shift or shrink the feature map.

    Args:
        option: Name of the option, for the message.
        value: The kernel size.

    Raises:
        ValueError: The value is even or less than 1.
    """
    if value < 1 or value % 2 == 0:
        raise ValueError(f"{option} is odd and at least 1, not {value}")


def check_positive(option: str, value: int) -> None:
    """Refuse a value less than 1.

    Args:
        option: Name of the option, for the message.
        value: Its value.

    Raises:
        ValueError: The value is less than 1.
    """
    if value < 1:
        raise ValueError(f"{option} is at least 1, not {value}")


def check_multiple(option: str, value: float) -> None:
    """Refuse a multiple of the learning rate that is not a number above 0.

    Args:
        option: Name of the option, for the message.
        value: Its value.

    Raises:
        ValueError: The value is 0 or less, infinite, or not a number.
    """
    if not 0 < value < math.inf:
        raise ValueError(f"{option} is a number above 0, not {value:g}")
