"""Names beside the points of a plot, placed so that none covers another."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

ASIDE = 6.0  # from a point to its name, in points of 1/72 inch
LETTER = 0.62  # mean width of a letter, as a multiple of the font's size
LINE = 1.15  # height of a name, as a multiple of the font's size
NEAR = 0.5  # a name that is moved by less, in points, needs no line


def place_names(points: Mapping[str, tuple[float, float]], size: float) -> dict[str, float]:
    """How far each name is moved up or down from the right of its point, so that no name covers another.

    Names keep the order of their points, and move as little as that allows (least squares).

    Args:
        points: Of each name: its point, in points of 1/72 inch.
        size: Of the font.

    Returns:
        Of each name: the move, in points; 0 where there is room beside the point.

    Example:
        >>> place_names({"a": (0, 0), "b": (0, 2), "far": (500, 1)}, size=10)
        {'b': 4.75, 'a': -4.75, 'far': 0.0}
    """
    moves: dict[str, float] = {}
    for names in _groups(points, size):
        names.sort(key=lambda name: points[name][1], reverse=True)
        heights = [points[name][1] for name in names]
        moves.update(
            zip(names, (a - b for a, b in zip(_spread(heights, LINE * size), heights, strict=True)), strict=True)
        )
    return moves


def _groups(points: Mapping[str, tuple[float, float]], size: float) -> list[list[str]]:
    """Names that lie over the same part of the horizontal axis."""
    groups: list[list[str]] = []
    end = -math.inf
    for name in sorted(points, key=lambda name: points[name][0]):
        left = points[name][0]
        if left > end:
            groups.append([])
        groups[-1].append(name)
        end = max(end, left + ASIDE + LETTER * size * len(name))
    return groups


def _spread(heights: Sequence[float], least: float) -> list[float]:
    """Heights, falling, that are `least` apart and as near to the given ones as that allows."""
    blocks: list[tuple[float, int]] = []  # mean of the heights plus their rank's share, and how many
    for rank, height in enumerate(heights):
        mean, count = height + rank * least, 1
        while blocks and blocks[-1][0] < mean:  # pool adjacent violators
            before, number = blocks.pop()
            mean, count = (before * number + mean * count) / (number + count), number + count
        blocks.append((mean, count))
    means = [mean for mean, count in blocks for _ in range(count)]
    return [mean - rank * least for rank, mean in enumerate(means)]


def label_points(axes: Any, points: Mapping[str, tuple[float, float]], *, size: float = 8, colour: str) -> None:
    """Write the name of each point beside it; a thin line leads to a name that had to be moved.

    Call it when everything else is drawn: it sets the limits of the axes.

    Args:
        axes: Axes of matplotlib on which the points were drawn.
        points: Of each name: its point, in the units of the axes.
        size: Of the font, in points.
        colour: Of names and lines.
    """
    axes.margins(0.1)
    low, high = axes.get_xlim()
    axes.set_xlim(low, high + 0.2 * (high - low))  # for the names of the points furthest to the right
    axes.figure.draw_without_rendering()  # until then the size of the axes is not known
    scale = 72 / axes.figure.dpi
    at = {name: tuple(scale * value for value in axes.transData.transform(point)) for name, point in points.items()}
    for name, move in place_names(at, size).items():
        led = {"arrowstyle": "-", "color": colour, "linewidth": 0.4, "shrinkA": 1, "shrinkB": 2, "relpos": (0, 0.5)}
        text = axes.annotate(
            name,
            points[name],
            (ASIDE, move),
            textcoords="offset points",
            fontsize=size,
            color=colour,
            va="center",
            arrowprops=led if abs(move) > NEAR else None,
        )
        text.set_in_layout(False)
