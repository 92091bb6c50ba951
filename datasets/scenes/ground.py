"""What lies on the ground: road with its markings, kerbs, sidewalks, grass verges, shadows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from foveate.datasets.scenes.camera import FAR, NEAR
from foveate.datasets.scenes.canvas import ID, Canvas, Colour, Material
from foveate.datasets.scenes.palette import grey, leaf, tint

LEFT, RIGHT = -1, 1
_STATIONS = np.concatenate((np.linspace(NEAR, 20, 12), np.geomspace(22, FAR, 20)))  # metres along, where strips bend


@dataclass(frozen=True, kw_only=True)
class Street:
    """Widths of the parts of a street, in metres. A side is LEFT (-1) or RIGHT (1) of the camera.

    Attributes:
        left: From the camera to the left kerb.
        right: From the camera to the right kerb.
        lawn: Width of the grass between each kerb and its sidewalk; 0 for none.
        sidewalk: Width of each sidewalk.
        verge: Width of the grass between each sidewalk and what stands beside it; 0 for none.
    """

    left: float
    right: float
    lawn: tuple[float, float]
    sidewalk: tuple[float, float]
    verge: tuple[float, float]

    def kerb(self, side: int) -> float:
        """Where across the road ends."""
        return self.right if side == RIGHT else -self.left

    def path(self, side: int) -> float:
        """Where across the sidewalk begins."""
        return self.kerb(side) + side * self.lawn[side == RIGHT]

    def walk(self, side: int) -> float:
        """Where across the sidewalk ends."""
        return self.path(side) + side * self.sidewalk[side == RIGHT]

    def edge(self, side: int) -> float:
        """Where across the houses, fences and hedges stand."""
        return self.walk(side) + side * self.verge[side == RIGHT]


def draw_street(rng: np.random.Generator) -> Street:
    """Widths of a street with one lane or two on the camera's left."""
    grass = rng.uniform(1.5, 3.0, 2)
    inner = rng.random(2) < 0.45
    lawn, verge = grass * inner, grass * (~inner & (rng.random(2) < 0.6))
    sidewalk = rng.uniform(2.0, 3.2, 2)
    return Street(
        left=rng.uniform(3.4, 6.0),
        right=rng.uniform(2.2, 3.6),
        lawn=(float(lawn[0]), float(lawn[1])),
        sidewalk=(float(sidewalk[0]), float(sidewalk[1])),
        verge=(float(verge[0]), float(verge[1])),
    )


def strip(first: float, second: float, start: float = NEAR, stop: float = FAR) -> np.ndarray:
    """Outline (corners, 3) of the ground between two lines along the street, from start to stop metres."""
    along = np.concatenate(([start], _STATIONS[np.logical_and(start < _STATIONS, stop > _STATIONS)], [stop]))
    out, back = (np.stack((np.full_like(along, line), 0 * along, along), axis=-1) for line in (first, second))
    return np.concatenate((out, back[::-1]))


def paint_ground(canvas: Canvas, rng: np.random.Generator, street: Street) -> None:
    """Paint everything flat."""
    road = grey(rng, 0.24, 0.5)
    grass = leaf(rng)
    canvas.fill(strip(-900, 900), grass, label=ID["terrain"], material=Material.GRASS)
    for side in (LEFT, RIGHT):
        _paint_side(canvas, rng, street, side, grass)
    canvas.fill(strip(-street.left, street.right), road, label=ID["road"], material=Material.ASPHALT)
    _paint_markings(canvas, rng, street, road)
    _paint_patches(canvas, rng, street, road)


def _paint_side(canvas: Canvas, rng: np.random.Generator, street: Street, side: int, grass: Colour) -> None:
    """Sidewalk with a kerb or behind a lawn; without a verge the paving reaches the houses."""
    kerb, path, walk = street.kerb(side), street.path(side), street.walk(side)
    outer = walk if street.verge[side == RIGHT] else walk + side * 4.0
    slabs = grey(rng, 0.32, 0.68)
    canvas.fill(strip(path, outer), slabs, label=ID["sidewalk"], material=Material.PAVING)
    gutter = strip(kerb - side * 0.12, kerb)
    canvas.fill(gutter, tint(slabs, 0.55), label=ID["road"], material=Material.ASPHALT)
    if not street.lawn[side == RIGHT]:
        canvas.fill(strip(kerb, kerb + side * 0.22), tint(slabs, 1.3), label=ID["sidewalk"], material=Material.ASPHALT)


def _paint_markings(canvas: Canvas, rng: np.random.Generator, street: Street, road: Colour) -> None:
    """A dashed or solid middle line, edge lines, perhaps a zebra crossing; all of them are road."""
    white = tint(grey(rng, 0.72, 0.92), rng.uniform(0.85, 1.0))
    if rng.random() < 0.75:
        middle, gap = -rng.uniform(1.4, 2.0), rng.choice((3.0, 6.0))
        starts = np.arange(NEAR + rng.uniform(0, 6), 70.0, 3.0 + gap)
        for start in starts:
            canvas.fill(strip(middle, middle + 0.14, start, start + 3.0), white, material=Material.ASPHALT)
    if rng.random() < 0.35:
        for side in (LEFT, RIGHT):
            line = street.kerb(side) - side * 0.5
            canvas.fill(strip(line, line - side * 0.13), white, material=Material.ASPHALT)
    if rng.random() < 0.25:
        _paint_zebra(canvas, street, rng.uniform(6.0, 22.0), white)


def _paint_zebra(canvas: Canvas, street: Street, start: float, white: Colour) -> None:
    for across in np.arange(-street.left + 0.3, street.right - 0.5, 1.0):
        canvas.fill(strip(across, across + 0.5, start, start + 3.5), white, material=Material.ASPHALT)


def _paint_patches(canvas: Canvas, rng: np.random.Generator, street: Street, road: Colour) -> None:
    """Repairs in the asphalt, darker or lighter than the rest."""
    for _ in range(rng.integers(0, 5)):
        across, start = rng.uniform(-street.left, street.right - 1.0), rng.uniform(3.0, 25.0)
        patch = strip(across, across + rng.uniform(0.5, 2.5), start, start + rng.uniform(1.0, 8.0))
        canvas.fill(patch, tint(road, rng.uniform(0.75, 1.2)), material=Material.ASPHALT)


def paint_rails(canvas: Canvas, across: float) -> None:
    """Two rails in the road; they are road."""
    for rail in (across - 0.72, across + 0.72):
        canvas.fill(strip(rail - 0.09, rail, stop=120.0), (0.2, 0.2, 0.2), material=Material.ASPHALT)
        canvas.fill(strip(rail, rail + 0.09, stop=120.0), (0.72, 0.72, 0.74), material=Material.ASPHALT)


def cast_house_shadow(canvas: Canvas, street: Street, side: int, reach: float, light: float) -> None:
    """The row of houses on `side` shades the ground from its foot to `reach` metres."""
    edge = street.edge(side)
    canvas.shadow(strip(edge + side * 4.0, edge - side * reach), light)


def cast_foot_shadow(canvas: Canvas, across: float, along: float, size: tuple[float, float], light: float) -> None:
    """A blot under something of size (across, along) metres."""
    turn = np.linspace(0, 2 * np.pi, 16, endpoint=False)
    x, z = across + size[0] / 2 * 1.25 * np.cos(turn), along + size[1] / 2 * 1.2 * np.sin(turn)
    canvas.shadow(np.stack((x, np.zeros_like(x), z), axis=-1), light)
