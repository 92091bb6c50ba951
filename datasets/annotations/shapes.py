"""Rectangles, circles and ellipses as polygons."""

from __future__ import annotations

import math

import numpy as np

from foveate.datasets.annotations.model import Ring

SAG = 0.05  # pixels that the sides of a polygon may lie inside the ellipse it stands for


def rectangle(left: float, top: float, right: float, bottom: float, degrees: float = 0.0) -> Ring:
    """The corners of a rectangle.

    Args:
        left: First edge in pixels.
        top: Upper edge.
        right: Last edge.
        bottom: Lower edge.
        degrees: Rotation round its centre, clockwise as it is seen.
    """
    corners = np.array([[left, top], [right, top], [right, bottom], [left, bottom]], dtype=np.float64)
    return turned(corners, ((left + right) / 2, (top + bottom) / 2), degrees)


def ellipse(x: float, y: float, x_radius: float, y_radius: float, degrees: float = 0.0) -> Ring:
    """A polygon that is nowhere farther than a twentieth of a pixel from an ellipse.

    Args:
        x: Centre.
        y: Centre.
        x_radius: Half its width in pixels.
        y_radius: Half its height.
        degrees: Rotation round its centre, clockwise as it is seen.
    """
    radius = max(abs(x_radius), abs(y_radius), 1.0)
    count = max(12, math.ceil(math.pi / math.acos(1 - SAG / radius)))
    angles = np.arange(count) * (2 * math.pi / count)
    ring = np.stack([x + x_radius * np.cos(angles), y + y_radius * np.sin(angles)], axis=1)
    return turned(ring, (x, y), degrees)


def turned(ring: Ring, centre: tuple[float, float], degrees: float) -> Ring:
    """A polygon after a rotation.

    Args:
        ring: The polygon (N, 2).
        centre: The point that stays, x and y.
        degrees: The angle, clockwise as it is seen (y points down).

    Example:
        >>> turned(np.array([[2.0, 0.0]]), (1.0, 0.0), 90).round(6).tolist()
        [[1.0, 1.0]]
    """
    if not degrees:
        return ring
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return np.asarray((ring - centre) @ np.array([[cos, sin], [-sin, cos]]) + centre)


def area(ring: Ring) -> float:
    """Area of a polygon in square pixels.

    Example:
        >>> area(rectangle(0, 0, 3, 2))
        6.0
    """
    x, y = ring.T
    return float(abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2)
