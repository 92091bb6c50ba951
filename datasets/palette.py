"""Colours for classes that come with none."""

from __future__ import annotations


def distinct_colours(count: int) -> list[tuple[int, int, int]]:
    """RGB colours that are easy to tell apart: those of Pascal VOC's label maps, which other tools use too.

    The bits of a class's number are spread over the highest bits of red, green and blue. Class 0 is black.

    Args:
        count: How many, up to 256.

    Example:
        >>> distinct_colours(4)
        [(0, 0, 0), (128, 0, 0), (0, 128, 0), (128, 128, 0)]
    """
    return [_spread(number) for number in range(count)]


def _spread(number: int) -> tuple[int, int, int]:
    red, green, blue = (
        sum((number >> (3 * bit + channel) & 1) << (7 - bit) for bit in range(8)) for channel in range(3)
    )
    return red, green, blue
