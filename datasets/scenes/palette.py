"""Colours that the classes share, so that a colour alone does not tell the class.

Roads, walls, houses, skies, poles and cars are grey; grass, leaves, cars and doors green; bricks, coats and buses red.
"""

from __future__ import annotations

import numpy as np

from foveate.datasets.scenes.canvas import Colour

_PAINTS = (
    (0.86, 0.86, 0.84), (0.66, 0.67, 0.69), (0.42, 0.43, 0.45), (0.16, 0.16, 0.18), (0.62, 0.16, 0.14),
    (0.20, 0.30, 0.55), (0.22, 0.38, 0.24), (0.80, 0.66, 0.22), (0.48, 0.34, 0.24), (0.45, 0.58, 0.70),
)  # fmt: skip
DARK: Colour = (0.09, 0.09, 0.10)


def tint(colour: Colour, factor: float) -> Colour:
    """The colour lighter (factor > 1) or darker, within 0-1."""
    red, green, blue = (min(max(channel * factor, 0.0), 1.0) for channel in colour)
    return red, green, blue


def blend(first: Colour, second: Colour, share: float) -> Colour:
    """`share` (0-1) of the second colour in the first."""
    red, green, blue = (a + share * (b - a) for a, b in zip(first, second, strict=True))
    return red, green, blue


def grey(rng: np.random.Generator, low: float = 0.25, high: float = 0.75) -> Colour:
    """A grey between low and high, a little warm or cold."""
    level, warmth = rng.uniform(low, high), rng.normal(0.0, 0.03)
    return level + warmth, level, level - warmth


def paint(rng: np.random.Generator) -> Colour:
    """A colour of cars, coats, signs and doors."""
    red, green, blue = np.clip(rng.choice(_PAINTS) * rng.uniform(0.8, 1.15) + rng.normal(0, 0.03, 3), 0.03, 0.95)
    return float(red), float(green), float(blue)


def masonry(rng: np.random.Generator) -> Colour:
    """A colour of houses and walls: grey, or a paint with some grey in it."""
    return blend(paint(rng), grey(rng, 0.3, 0.85), rng.uniform(0.3, 1.0))


def leaf(rng: np.random.Generator) -> Colour:
    """A green of grass and leaves: bluish to yellow to autumn brown."""
    share = rng.uniform(0.0, 1.0) ** 1.5
    return tint(blend((0.29, 0.41, 0.22), (0.50, 0.40, 0.26), share), rng.uniform(0.7, 1.25))


def skin(rng: np.random.Generator) -> Colour:
    """A skin tone; wood and bricks have it as well."""
    return blend((0.36, 0.24, 0.18), (0.85, 0.66, 0.54), rng.uniform(0.0, 1.0))


def glass(rng: np.random.Generator) -> Colour:
    """A window by day: dark, or the sky mirrored in it."""
    return blend((0.10, 0.12, 0.14), (0.55, 0.62, 0.68), rng.uniform(0.0, 0.7) ** 2)
