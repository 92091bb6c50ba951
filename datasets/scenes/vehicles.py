"""Cars, trucks, buses and trams: side views extruded to a width, with windows, wheels and lights."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from foveate.datasets.scenes.camera import Pose
from foveate.datasets.scenes.canvas import ID, Canvas, Colour
from foveate.datasets.scenes.palette import DARK, glass, paint, tint

# Side views: (forward, up) in metres from rear-bottom over the roof to front-bottom, the middle at forward = 0.
_SALOON = (
    (-2.1, 0.25), (-2.15, 0.6), (-2.1, 0.95), (-1.55, 1.0), (-0.85, 1.42),
    (0.4, 1.45), (1.2, 0.98), (2.05, 0.82), (2.15, 0.5), (2.1, 0.25),
)  # fmt: skip
_HATCHBACK = (
    (-1.9, 0.25), (-1.95, 0.6), (-1.93, 0.92), (-1.85, 1.0), (-1.5, 1.45),
    (0.3, 1.5), (1.1, 1.0), (1.85, 0.85), (1.95, 0.5), (1.9, 0.25),
)  # fmt: skip
_ESTATE = (
    (-2.2, 0.3), (-2.25, 0.7), (-2.22, 1.0), (-2.18, 1.08), (-1.95, 1.6),
    (0.4, 1.66), (1.15, 1.1), (2.0, 0.98), (2.15, 0.6), (2.1, 0.3),
)  # fmt: skip
_CAR_SIDES = (_SALOON, _HATCHBACK, _ESTATE)
_REAR_WINDOW, _WINDSCREEN = 3, 5  # edges of the three side views above, by their first corner


def box_side(rear: float, front: float, bottom: float, top: float, slant: float = 0.0) -> np.ndarray:
    """Side view of a box, (4, 2); the front leans back by `slant` metres."""
    return np.array(((rear, bottom), (rear, top), (front - slant, top), (front, bottom)))


def _extrude(side: np.ndarray, right: float) -> np.ndarray:
    """Side view (..., K, 2) -> local points (..., K, 3), `right` metres to the right of the middle."""
    return np.stack((np.full(side.shape[:-1], right), side[..., 1], side[..., 0]), axis=-1)


def _draw_prism(canvas: Canvas, pose: Pose, side: np.ndarray, width: float, colour: Colour, label: int) -> None:
    """Paint the visible faces of a side view (K, 2) given a width: tops lighter, sides darker."""
    left, right = (pose.place(_extrude(side, offset)) for offset in (-width / 2, width / 2))
    following = np.arange(1, len(side) + 1) % len(side)
    strips = np.stack((left, left[following], right[following], right), axis=1)
    forward, up = np.abs(side[following] - side).T
    for edge in np.flatnonzero(canvas.are_seen(strips)):
        canvas.fill(strips[edge], tint(colour, 1.12 if forward[edge] > up[edge] else 0.92), label=label)
    faces = np.stack((right, left[::-1]))
    for face in faces[canvas.are_seen(faces)]:
        canvas.fill(face, tint(colour, 0.8), label=label)


def _draw_on_end(canvas: Canvas, pose: Pose, forward: float, rectangles: np.ndarray, colour: Colour) -> None:
    """Paint rectangles (N, 4) = (left, bottom, right, top) on the end at `forward` if it faces the camera."""
    left, bottom, right, top = np.atleast_2d(rectangles).T
    across = np.stack((left, left, right, right), axis=1)
    up = np.stack((bottom, top, top, bottom), axis=1)
    faces = pose.place(np.stack((across, up, np.full_like(up, forward)), axis=-1))
    if canvas.are_seen(faces[:1] if forward < 0 else faces[:1, ::-1]).all():
        canvas.fill(faces, colour)


def _draw_on_sides(canvas: Canvas, pose: Pose, width: float, shapes: np.ndarray, colour: Colour, label: int) -> None:
    """Paint polygons (N, K, 2) of the side view, clockwise as seen from the right, on the side that is seen."""
    for right in (width / 2, -width / 2):
        faces = pose.place(_extrude(shapes, right))
        if canvas.are_seen(faces[:1] if right > 0 else faces[:1, ::-1]).all():
            canvas.fill(faces, colour, label=label)


def _rectangles(spans: list[tuple[float, float]], bottom: float, top: float) -> np.ndarray:
    """Side-view rectangles (N, 4, 2) over the spans (rear, front)."""
    return np.array([box_side(rear, front, bottom, top) for rear, front in spans])


def _panes(rear: float, front: float, count: int) -> list[tuple[float, float]]:
    """Spans of `count` windows from rear to front, with pillars of 0.15 m between."""
    edges = np.linspace(rear, front, count + 1)
    return [(edge + 0.08, following - 0.07) for edge, following in pairwise(edges)]


def _draw_wheels(canvas: Canvas, pose: Pose, width: float, centres: list[float], radius: float, label: int) -> None:
    turn = np.linspace(0, -2 * np.pi, 14, endpoint=False)
    ring = np.stack((np.cos(turn), np.sin(turn)), axis=-1)
    for size, colour in ((radius, DARK), (radius * 0.55, (0.55, 0.55, 0.56))):
        shapes = np.stack([size * ring + (centre, radius) for centre in centres])
        _draw_on_sides(canvas, pose, width + 0.04, shapes, colour, label)


def draw_car(canvas: Canvas, rng: np.random.Generator, pose: Pose) -> None:
    """A saloon, hatchback or estate, about 4.2 x 1.8 x 1.5 m."""
    side = np.array(_CAR_SIDES[rng.integers(len(_CAR_SIDES))]) * rng.uniform(0.95, 1.08, 2)
    width, colour, pane, label = rng.uniform(1.7, 1.85), paint(rng), glass(rng), ID["car"]
    rear, front = side[:, 0].min(), side[:, 0].max()
    _draw_prism(canvas, pose, box_side(rear + 0.25, front - 0.25, 0.0, 0.45), width * 0.94, DARK, label)
    _draw_prism(canvas, pose, side, width, colour, label)
    for edge in (_REAR_WINDOW, _WINDSCREEN):
        _draw_pane(canvas, pose, side[edge : edge + 2], width, pane)
    _draw_side_windows(canvas, pose, side[3:7], width, pane)
    _draw_wheels(canvas, pose, width, [rear + 0.8, front - 0.8], 0.32, label)
    _draw_car_ends(canvas, pose, rear, front, width)


def _draw_pane(canvas: Canvas, pose: Pose, edge: np.ndarray, width: float, colour: Colour) -> None:
    """Glass on the strip over one edge (2, 2) of the side view, within a frame."""
    lower, upper = edge[0] + 0.12 * (edge[1] - edge[0]), edge[1] - 0.1 * (edge[1] - edge[0])
    ends = np.stack((lower, upper))
    left, right = (pose.place(_extrude(ends, sign * (width / 2 - 0.14))) for sign in (-1, 1))
    face = np.stack((left[0], left[1], right[1], right[0]))
    if canvas.are_seen(face[None]).all():
        canvas.fill(face, colour)


def _draw_side_windows(canvas: Canvas, pose: Pose, cabin: np.ndarray, width: float, colour: Colour) -> None:
    """Two panes within the cabin's outline (4, 2), with a pillar between."""
    middle = cabin.mean(axis=0)
    panes = middle + (cabin - middle) * (0.86, 0.8)
    lower, upper = (panes[0] + panes[3]) / 2, (panes[1] + panes[2]) / 2
    half_pillar = np.array((0.05, 0.0))
    rear = np.stack((panes[0], panes[1], upper - half_pillar, lower - half_pillar))
    front = np.stack((lower + half_pillar, upper + half_pillar, panes[2], panes[3]))
    _draw_on_sides(canvas, pose, width, np.stack((rear, front)), colour, ID["car"])


def _draw_car_ends(canvas: Canvas, pose: Pose, rear: float, front: float, width: float) -> None:
    half = width / 2
    lamps = np.array(((-half, 0.62, -half + 0.32, 0.85), (half - 0.32, 0.62, half, 0.85)))
    plate, bumper = np.array((-0.27, 0.5, 0.27, 0.62)), np.array((-half, 0.25, half, 0.42))
    for forward, colour in ((rear, (0.65, 0.08, 0.08)), (front, (0.95, 0.95, 0.9))):
        _draw_on_end(canvas, pose, forward, bumper, (0.2, 0.2, 0.21))
        _draw_on_end(canvas, pose, forward, lamps, colour)
        _draw_on_end(canvas, pose, forward, plate, (0.9, 0.9, 0.86))


def draw_bus(canvas: Canvas, rng: np.random.Generator, pose: Pose) -> None:
    """One box with a row of windows, doors, wheels and a lit panel, about 11 x 2.5 x 3.1 m."""
    length, width, height = rng.uniform(9.5, 12.0), 2.5, rng.uniform(3.0, 3.3)
    rear, front, colour, pane, label = -length / 2, length / 2, paint(rng), glass(rng), ID["bus"]
    _draw_prism(canvas, pose, box_side(rear, front, 0.3, height, 0.15), width, colour, label)
    windows = _rectangles(_panes(rear + 0.2, front - 0.3, 7), 1.35, 2.5)
    _draw_on_sides(canvas, pose, width, windows, pane, label)
    doors = [(front - 1.5, front - 0.4), (-0.6, 0.6)]
    _draw_on_sides(canvas, pose, width, _rectangles(doors, 0.4, 2.5), tint(pane, 0.7), label)
    _draw_on_sides(canvas, pose, width, _rectangles([(rear, front)], 0.3, 0.55), DARK, label)
    _draw_wheels(canvas, pose, width, [rear + 2.6, front - 2.4], 0.5, label)
    for forward, sill in ((rear, 1.7), (front, 1.0)):
        _draw_on_end(canvas, pose, forward, np.array((-1.1, sill, 1.1, 2.5)), pane)
        _draw_on_end(canvas, pose, forward, np.array((-0.9, 2.6, 0.9, 2.9)), (0.9, 0.7, 0.2))
        _draw_lorry_lamps(canvas, pose, forward, width)


def _draw_lorry_lamps(canvas: Canvas, pose: Pose, forward: float, width: float) -> None:
    half = width / 2
    lamps = np.array(((-half + 0.05, 0.6, -half + 0.4, 0.95), (half - 0.4, 0.6, half - 0.05, 0.95)))
    _draw_on_end(canvas, pose, forward, np.array((-half, 0.3, half, 0.5)), DARK)
    _draw_on_end(canvas, pose, forward, lamps, (0.65, 0.08, 0.08) if forward < 0 else (0.95, 0.95, 0.9))


def draw_truck(canvas: Canvas, rng: np.random.Generator, pose: Pose) -> None:
    """A cab and, behind a gap, a ribbed box without windows on an open frame, about 8 x 2.5 x 3.5 m."""
    width, height, label = 2.5, rng.uniform(3.3, 3.8), ID["truck"]
    parts = [_draw_load, _draw_cab]  # the farther one first
    if np.cos(pose.heading) > 0:
        parts.reverse()
    _draw_prism(canvas, pose, box_side(-4.0, 3.8, 0.45, 0.95), 2.1, DARK, label)
    _draw_wheels(canvas, pose, 2.3, [-3.0, -1.9, 2.9], 0.5, label)
    seed = int(rng.integers(1 << 30))
    for part in parts:
        part(canvas, np.random.default_rng(seed), pose, width, height)


def _draw_cab(canvas: Canvas, rng: np.random.Generator, pose: Pose, width: float, height: float) -> None:
    colour, pane = paint(rng), glass(rng)
    _draw_prism(canvas, pose, box_side(2.0, 4.0, 0.5, height - 0.7, 0.25), width * 0.95, colour, ID["truck"])
    _draw_on_sides(canvas, pose, width * 0.95, _rectangles([(2.5, 3.5)], 1.7, 2.4), pane, ID["truck"])
    _draw_on_end(canvas, pose, 4.0, np.array((-1.05, 1.6, 1.05, 2.45)), pane)
    _draw_on_end(canvas, pose, 4.0, np.array((-0.8, 0.9, 0.8, 1.4)), DARK)
    _draw_lorry_lamps(canvas, pose, 4.0, width)


def _draw_load(canvas: Canvas, rng: np.random.Generator, pose: Pose, width: float, height: float) -> None:
    colour = paint(rng)
    _draw_prism(canvas, pose, box_side(-4.1, 1.7, 0.95, height), width, colour, ID["truck"])
    ribs = _rectangles([(rib, rib + 0.25) for rib in np.linspace(-4.1, 1.45, 10)], 0.95, height)
    _draw_on_sides(canvas, pose, width, ribs, tint(colour, 0.6), ID["truck"])
    seams = np.array(((-0.04, 1.0, 0.04, height), (-1.25, 0.95, -1.15, height), (1.15, 0.95, 1.25, height)))
    bolts = np.array(((-0.75, 1.0, -0.57, height), (0.57, 1.0, 0.75, height)))
    _draw_on_end(canvas, pose, -4.1, np.concatenate((seams, bolts)), tint(colour, 0.5))
    _draw_on_end(canvas, pose, -4.1, np.array((-1.2, 0.4, 1.2, 0.6)), (0.7, 0.2, 0.15))
    _draw_lorry_lamps(canvas, pose, -4.1, width)


def draw_tram(canvas: Canvas, rng: np.random.Generator, pose: Pose) -> None:
    """Two long cars with a band of windows, a skirt down to the rails and a pantograph; 20 x 2.5 x 3.4 m."""
    colour, stripe, pane = paint(rng), paint(rng), glass(rng)
    halves = [(0.3, 10.0), (-10.0, -0.3)]  # the farther one first
    for span in halves if np.cos(pose.heading) > 0 else halves[::-1]:
        _draw_tram_half(canvas, pose, span, (colour, stripe, pane))
    for forward in (-10.0, 10.0):
        _draw_tram_end(canvas, pose, forward, pane, stripe)
    _draw_pantograph(canvas, pose)


def _draw_tram_half(
    canvas: Canvas, pose: Pose, span: tuple[float, float], colours: tuple[Colour, Colour, Colour]
) -> None:
    """One car from `span[0]` to `span[1]`; colours of the body, the skirt and the windows."""
    width, label, (body, skirt, pane) = 2.5, ID["train"], colours
    _draw_prism(canvas, pose, box_side(*span, 0.1, 3.4), width, body, label)
    for bottom, top, colour in ((0.1, 0.9, skirt), (1.4, 2.7, DARK), (3.1, 3.4, tint(body, 0.5))):
        _draw_on_sides(canvas, pose, width, _rectangles([span], bottom, top), colour, label)
    _draw_on_sides(canvas, pose, width, _rectangles(_panes(span[0] + 0.3, span[1] - 0.3, 5), 1.5, 2.6), pane, label)


def _draw_tram_end(canvas: Canvas, pose: Pose, forward: float, pane: Colour, stripe: Colour) -> None:
    _draw_on_end(canvas, pose, forward, np.array((-1.25, 0.1, 1.25, 0.9)), stripe)
    _draw_on_end(canvas, pose, forward, np.array((-1.15, 1.2, 1.15, 3.1)), tint(pane, 0.7))
    lamps = np.array(((-1.05, 0.95, -0.75, 1.15), (0.75, 0.95, 1.05, 1.15)))
    _draw_on_end(canvas, pose, forward, lamps, (0.95, 0.95, 0.9))


def _draw_pantograph(canvas: Canvas, pose: Pose) -> None:
    arm = np.array(((0.0, 3.4, -4.0), (0.0, 4.0, -5.0), (0.0, 4.6, -4.0)))
    bow = np.array(((-0.9, 4.6, -4.0), (0.9, 4.6, -4.0)))
    for path in (arm, bow):
        canvas.stroke(pose.place(path), 0.1, DARK, label=ID["train"])
