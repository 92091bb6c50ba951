"""Where things stand in a synthetic street; they are painted from far to near."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from foveate.datasets.scenes.camera import FAR, Pose
from foveate.datasets.scenes.canvas import EGO_VEHICLE, ID, Canvas, Material
from foveate.datasets.scenes.ground import (
    LEFT,
    RIGHT,
    Street,
    cast_foot_shadow,
    cast_house_shadow,
    draw_street,
    paint_ground,
    paint_rails,
)
from foveate.datasets.scenes.light import Weather
from foveate.datasets.scenes.palette import DARK, paint, tint
from foveate.datasets.scenes.people import (
    draw_bicycle,
    draw_cyclist,
    draw_motorcycle,
    draw_motorcyclist,
    draw_person,
)
from foveate.datasets.scenes.roadside import (
    paint_bin,
    paint_fence,
    paint_hedge,
    paint_house,
    paint_lamp,
    paint_sign,
    paint_skyline,
    paint_traffic_light,
    paint_tree,
    paint_wall,
)
from foveate.datasets.scenes.vehicles import draw_bus, draw_car, draw_tram, draw_truck

Draw = Callable[[Canvas, np.random.Generator, Pose], None]

_SKYLINE = 130.0  # metres
_STAGE = 30.0  # metres: vehicles, people and posts stand nearer, or they would be a few pixels large
_TRIES = 4  # places tried for a two-wheeler
# Every scene features one of each, in turn, so that a short training sees them all often enough.
_HEAVY: tuple[Draw, ...] = (draw_truck, draw_bus, draw_tram)
_RIDERS: tuple[Draw, ...] = (draw_cyclist, draw_motorcyclist)

_BORDERS = (paint_wall, paint_fence, paint_hedge)


class Stage:
    """The things that stand on the street, kept until they can be painted from far to near."""

    def __init__(self) -> None:
        self._things: list[tuple[Draw, Pose]] = []
        self._taken: list[tuple[float, float, float, float]] = []
        self._shadows: list[tuple[float, float, tuple[float, float]]] = []

    def put(self, draw: Draw, pose: Pose, size: tuple[float, float]) -> bool:
        """Place a thing of size (across, along) metres, unless something else stands there; whether it was placed."""
        room = (pose.across, pose.along, size[0] / 2, size[1] / 2)
        if any(_overlap(room, other) for other in self._taken):
            return False
        self._taken.append(room)
        self._things.append((draw, pose))
        self._shadows.append((pose.across, pose.along, size))
        return True

    def paint(self, canvas: Canvas, rng: np.random.Generator, light: float) -> None:
        """Paint all of them; `light` is the part of the light that reaches their shadows."""
        for across, along, size in self._shadows:
            cast_foot_shadow(canvas, across, along, size, light)
        for draw, pose in sorted(self._things, key=lambda thing: -thing[1].along):
            draw(canvas, rng, pose)


def _overlap(first: tuple[float, float, float, float], second: tuple[float, float, float, float]) -> bool:
    apart_across = abs(first[0] - second[0]) > first[2] + second[2]
    apart_along = abs(first[1] - second[1]) > first[3] + second[3]
    return not (apart_across or apart_along)


def paint_scene(canvas: Canvas, rng: np.random.Generator, weather: Weather, index: int) -> None:
    """Paint a whole street; `index` picks the vehicles that it features."""
    street = draw_street(rng)
    _paint_sky(canvas, weather)
    paint_ground(canvas, rng, street)
    paint_skyline(canvas, rng, _SKYLINE)
    if rng.random() < 0.6 * (weather.sun > 0.3):
        cast_house_shadow(canvas, street, weather.sun_side, rng.uniform(2.0, 8.0), 1 - weather.sun)
    for side in (LEFT, RIGHT):
        _paint_roadside(canvas, rng, street, side, weather)
    stage = Stage()
    _put_heavy(canvas, stage, rng, street, _HEAVY[index % len(_HEAVY)])
    _put_two_wheeler(stage, rng, street, _RIDERS[index % len(_RIDERS)], (6.5, 10.5))
    _put_traffic(stage, rng, street)
    _put_people(stage, rng, street)
    _put_furniture(stage, rng, street)
    stage.paint(canvas, rng, 0.75 - weather.sun * 0.6)
    if rng.random() < 0.2:
        _paint_bonnet(canvas, rng)


def _paint_sky(canvas: Canvas, weather: Weather) -> None:
    curtain = np.array(((-9e3, -900, FAR), (-9e3, 9e3, FAR), (9e3, 9e3, FAR), (9e3, -900, FAR)))
    canvas.fill(curtain, weather.sky, label=ID["sky"], material=Material.CLOUD)


def _paint_roadside(canvas: Canvas, rng: np.random.Generator, street: Street, side: int, weather: Weather) -> None:
    """Stretches of 8-20 m, longer far away, with a house, a wall, a fence, a hedge or trees each, far to near."""
    across = street.edge(side)
    green = rng.beta(3.0, 1.2)  # share of this side without houses
    light = (1.0 + 0.25 * weather.sun, 1.0 - 0.3 * weather.sun)
    light = light if side != weather.sun_side else light[::-1]
    stop = _SKYLINE - 5
    while stop > 2.0:
        start = stop - rng.uniform(8.0, 20.0) * (1 + stop / 80)
        along = (max(start, 1.6), stop)
        if rng.random() > green:
            paint_house(canvas, rng, across, along, light)
        else:
            _paint_garden(canvas, rng, across, along, light)
        stop = start


def _paint_garden(
    canvas: Canvas, rng: np.random.Generator, across: float, along: tuple[float, float], light: tuple[float, float]
) -> None:
    """Trees or a house set back, behind a wall, a fence, a hedge or nothing."""
    side = 1.0 if across > 0 else -1.0
    back = across + side * rng.uniform(5.0, 10.0)
    if rng.random() < 0.5:
        paint_house(canvas, rng, back, along, light)
    else:
        paint_hedge(canvas, rng, back, along)
    for place in np.arange(along[1] - 2.0, along[0], -rng.uniform(4.0, 7.0) * (1 + along[1] / 60)):
        paint_tree(canvas, rng, across + side * rng.uniform(2.0, 4.0), place, rng.uniform(6.0, 11.0))
    border = rng.choice(4, p=(0.42, 0.44, 0.04, 0.1))
    if border < len(_BORDERS):
        _BORDERS[border](canvas, rng, across, along)


def _put_heavy(canvas: Canvas, stage: Stage, rng: np.random.Generator, street: Street, draw: Draw) -> None:
    """A lorry, bus or tram on the camera's lane or the oncoming one."""
    oncoming = rng.random() < 0.6
    across = -street.left + 1.6 if oncoming else rng.uniform(-0.3, street.right - 2.0)
    if draw is draw_tram:
        paint_rails(canvas, across)
    half = 10.0 if draw is draw_tram else 6.0
    along = half + rng.uniform(6.0, 16.0)
    stage.put(draw, Pose(across=across, along=along, heading=np.pi * oncoming), (2.8, 2 * half + 1))


def _put_two_wheeler(
    stage: Stage, rng: np.random.Generator, street: Street, draw: Draw, reach: tuple[float, float]
) -> None:
    """Somebody riding with the traffic or across the road, from `reach[0]` to `reach[1]` metres away."""
    for _ in range(_TRIES):
        if rng.random() < 0.8:
            heading, across = rng.choice((-1, 1)) * rng.uniform(1.0, 1.57), rng.uniform(-street.left, street.right)
        else:
            heading, across = rng.choice((0.0, np.pi)) + rng.normal(0, 0.2), street.right - rng.uniform(0.6, 1.2)
        if stage.put(draw, Pose(across=across, along=rng.uniform(*reach), heading=heading), (1.6, 2.2)):
            return


def _put_traffic(stage: Stage, rng: np.random.Generator, street: Street) -> None:
    """Cars on both lanes and along both kerbs; sometimes another cyclist or motorcyclist, or a crossing car."""
    if rng.random() < 0.5:
        _put_car(stage, rng, rng.uniform(-0.4, 0.4), rng.uniform(8.0, 25.0), 0.0)
    for along in np.arange(rng.uniform(8, 20), _STAGE, rng.uniform(8.0, 20.0)):
        _put_car(stage, rng, -street.left + rng.uniform(2.0, 2.6), along, np.pi)
    for side in (LEFT, RIGHT):
        if rng.random() < 0.4:
            _put_parked(stage, rng, street, side)
    for draw, often in ((draw_cyclist, 0.4), (draw_motorcyclist, 0.4)):
        if rng.random() < often:
            _put_two_wheeler(stage, rng, street, draw, (6.5, 14.0))
    if rng.random() < 0.08:
        pose = Pose(across=rng.uniform(-3, 2), along=rng.uniform(12, 25), heading=rng.choice((-1, 1)) * 1.57)
        stage.put(draw_car, pose, (4.8, 2.2))


def _put_car(stage: Stage, rng: np.random.Generator, across: float, along: float, heading: float) -> None:
    stage.put(draw_car, Pose(across=across, along=along, heading=heading + rng.normal(0, 0.04)), (2.1, 4.9))


def _put_parked(stage: Stage, rng: np.random.Generator, street: Street, side: int) -> None:
    heading = 0.0 if side == RIGHT or rng.random() < 0.4 else np.pi
    across = street.kerb(side) - side * 0.95
    for along in np.arange(rng.uniform(5.0, 9.0), _STAGE, 5.6):
        if rng.random() < 0.5 and abs(across) > 2.0:
            _put_car(stage, rng, across, along, heading)


def _put_people(stage: Stage, rng: np.random.Generator, street: Street) -> None:
    """Pedestrians alone or in pairs, most on a sidewalk; parked bicycles and motorcycles."""
    for _ in range(rng.poisson(5.5)):
        across = _on_sidewalk(rng, street) if rng.random() < 0.7 else rng.uniform(-street.left, street.right)
        along = rng.uniform(6.5, 14.0)
        for step in range(1 + (rng.random() < 0.35)):
            pose = Pose(across=across + 0.7 * step, along=along, heading=rng.uniform(-np.pi, np.pi))
            stage.put(draw_person, pose, (0.6, 0.6))
    for draw, often in ((draw_bicycle, 0.6), (draw_motorcycle, 0.5)):
        if rng.random() < often:
            pose = Pose(across=_on_sidewalk(rng, street), along=rng.uniform(6.5, 11.0), heading=rng.uniform(0.8, 2.3))
            stage.put(draw, pose, (1.8, 1.0))


def _on_sidewalk(rng: np.random.Generator, street: Street) -> float:
    side = int(rng.choice((LEFT, RIGHT)))
    return street.path(side) + side * rng.uniform(0.4, street.sidewalk[side == RIGHT] - 0.3)


def _put_furniture(stage: Stage, rng: np.random.Generator, street: Street) -> None:
    """Lamps, lights, signs, bins and trees behind the kerb."""
    kinds = (paint_lamp, paint_traffic_light, paint_sign, paint_bin, _paint_street_tree)
    for side in (LEFT, RIGHT):
        across = street.kerb(side) + side * 0.5
        shares = (0.24, 0.28, 0.3, 0.04, 0.14)
        for along in np.arange(rng.uniform(6.0, 10.0), _STAGE, rng.uniform(5.5, 9.0)):
            kind = kinds[rng.choice(len(kinds), p=shares)]
            stage.put(partial(_paint_at, kind), Pose(across=across, along=along), (0.4, 0.4))


def _paint_at(
    paint_thing: Callable[[Canvas, np.random.Generator, float, float], None],
    canvas: Canvas,
    rng: np.random.Generator,
    pose: Pose,
) -> None:
    paint_thing(canvas, rng, pose.across, pose.along)


def _paint_street_tree(canvas: Canvas, rng: np.random.Generator, across: float, along: float) -> None:
    paint_tree(canvas, rng, across, along, rng.uniform(5.0, 8.0))


def _paint_bonnet(canvas: Canvas, rng: np.random.Generator) -> None:
    """The camera's own car along the lower edge."""
    colour = tint(paint(rng), 0.8)
    rows, columns = canvas.label.shape
    height = rows * rng.uniform(0.05, 0.11)
    y, x = np.ogrid[:rows, :columns]
    inside = ((x / columns - 0.5) / 0.62) ** 2 + ((rows - y) / height) ** 2 < 1
    canvas.overlay(inside, colour if rng.random() < 0.5 else DARK, EGO_VEHICLE)
