"""Persons, riders, bicycles and motorcycles: stick figures with thick limbs, which work from every side."""

from __future__ import annotations

import numpy as np

from foveate.datasets.scenes.camera import Pose
from foveate.datasets.scenes.canvas import ID, Canvas, Colour
from foveate.datasets.scenes.palette import DARK, paint, skin, tint

Point = tuple[float, float, float]  # local (right, up, forward) in metres


def _limb(canvas: Canvas, pose: Pose, points: list[Point], width: float, colour: Colour, label: int) -> None:
    canvas.stroke(pose.place(np.array(points)), width, colour, label=label)


def draw_person(canvas: Canvas, rng: np.random.Generator, pose: Pose) -> None:
    """Somebody standing or walking, 1.55-1.9 m tall."""
    size, step, label = rng.uniform(0.9, 1.08), rng.uniform(0.0, 0.35), ID["person"]
    coat, trousers, face = paint(rng), tint(paint(rng), 0.6), skin(rng)

    def limb(points: list[Point], width: float, colour: Colour) -> None:
        _limb(canvas, pose, [(r * size, u * size, f * size) for r, u, f in points], width * size, colour, label)

    for side, reach in ((-0.1, step), (0.1, -step)):
        limb([(side, 0.9, 0.0), (side, 0.48, reach * 0.7), (side, 0.06, reach)], 0.21, trousers)
        limb([(side, 0.05, reach), (side, 0.05, reach + 0.12)], 0.1, DARK)
    for side, reach in ((-0.26, -step), (0.26, step)):
        limb([(side * 0.85, 1.42, 0.0), (side, 1.12, reach * 0.4), (side, 0.88, reach)], 0.15, tint(coat, 0.8))
    limb([(-0.09, 1.36, 0.0), (-0.07, 0.98, 0.0)], 0.36, coat)
    limb([(0.09, 1.36, 0.0), (0.07, 0.98, 0.0)], 0.36, coat)
    limb([(0.0, 1.5, 0.0), (0.0, 1.6, 0.0)], 0.13, face)
    limb([(0.0, 1.64, 0.02), (0.0, 1.68, 0.02)], 0.23, face)
    limb([(0.0, 1.72, -0.02), (0.0, 1.74, -0.02)], 0.2, tint(face, 0.4))


def draw_rider(canvas: Canvas, rng: np.random.Generator, pose: Pose, *, helmet: bool) -> None:
    """Somebody on a saddle at 0.9 m, hands on the handlebar; the cycle is drawn before."""
    label, coat, trousers = ID["rider"], paint(rng), tint(paint(rng), 0.6)
    for side, pedal in ((-0.12, 0.25), (0.12, 0.5)):
        leg: list[Point] = [(side, 0.95, -0.2), (side, 0.75, 0.22), (side, pedal, 0.08)]
        _limb(canvas, pose, leg, 0.22, trousers, label)
        arm: list[Point] = [(side * 1.7, 1.42, 0.12), (side * 2.2, 1.2, 0.3), (side * 2.0, 1.07, 0.46)]
        _limb(canvas, pose, arm, 0.16, tint(coat, 0.8), label)
    for side in (-0.08, 0.08):
        _limb(canvas, pose, [(side, 1.02, -0.2), (side, 1.4, 0.08)], 0.4, coat, label)
    _limb(canvas, pose, [(0.0, 1.62, 0.16), (0.0, 1.68, 0.17)], 0.24, skin(rng), label)
    if helmet:
        _limb(canvas, pose, [(0.0, 1.7, 0.13), (0.0, 1.74, 0.15)], 0.29, paint(rng), label)


def _wheel(forward: float, radius: float) -> np.ndarray:
    """A ring of local points (17, 3), closed."""
    turn = np.linspace(0, 2 * np.pi, 17)
    return np.stack((np.zeros(17), radius + radius * np.sin(turn), forward + radius * np.cos(turn)), axis=-1)


def draw_bicycle(canvas: Canvas, rng: np.random.Generator, pose: Pose) -> None:
    """Two thin wheels and a frame, 1.75 m long; the wheels show what is behind them, their label is solid."""
    label, colour = ID["bicycle"], paint(rng)
    wheels = pose.place(np.stack((_wheel(-0.53, 0.35), _wheel(0.53, 0.35))))
    canvas.mark(wheels, label)
    canvas.stroke(wheels, 0.1, DARK, label=label)
    hub, pedals, saddle, head = (0.0, 0.35, -0.53), (0.0, 0.3, -0.05), (0.0, 0.85, -0.2), (0.0, 0.85, 0.38)
    frame: list[list[Point]] = [
        [hub, pedals, head, saddle, hub],
        [pedals, saddle],
        [(0.0, 1.02, 0.36), head, (0.0, 0.35, 0.53)],
    ]
    canvas.mark(pose.place(np.array((hub, pedals, head, saddle))), label)
    for tube in frame:
        _limb(canvas, pose, tube, 0.1, colour, label)
    _limb(canvas, pose, [(0.0, 0.92, -0.32), (0.0, 0.92, -0.08)], 0.09, DARK, label)
    _limb(canvas, pose, [(-0.28, 1.03, 0.34), (0.28, 1.03, 0.34)], 0.05, DARK, label)


def draw_motorcycle(canvas: Canvas, rng: np.random.Generator, pose: Pose) -> None:
    """Two fat wheels with a heavy body between, a tank, a seat, a screen and a lamp; 2.1 m long."""
    label, colour = ID["motorcycle"], paint(rng)
    wheels = pose.place(np.stack((_wheel(-0.7, 0.32), _wheel(0.7, 0.32))))
    canvas.fill(wheels, (0.25, 0.25, 0.26), label=label)
    canvas.stroke(wheels, 0.15, DARK, label=label)
    _limb(canvas, pose, [(0.0, 0.45, -0.3), (0.0, 0.45, 0.25)], 0.42, (0.3, 0.3, 0.32), label)
    _limb(canvas, pose, [(0.12, 0.38, -0.1), (0.14, 0.35, -0.85)], 0.13, (0.7, 0.7, 0.7), label)
    _limb(canvas, pose, [(0.0, 0.8, 0.05), (0.0, 0.86, 0.32)], 0.34, colour, label)
    _limb(canvas, pose, [(0.0, 0.78, -0.75), (0.0, 0.78, -0.1)], 0.2, DARK, label)
    _limb(canvas, pose, [(0.0, 0.32, 0.7), (0.0, 1.0, 0.42)], 0.11, (0.6, 0.6, 0.6), label)
    _limb(canvas, pose, [(0.0, 0.85, 0.55), (0.0, 1.12, 0.5)], 0.24, colour, label)
    _limb(canvas, pose, [(-0.36, 1.06, 0.38), (0.36, 1.06, 0.38)], 0.07, DARK, label)
    _draw_lamp(canvas, pose)


def _draw_lamp(canvas: Canvas, pose: Pose) -> None:
    front = np.cos(pose.heading) < 0
    place, colour = ((0.0, 0.86, 0.7), (0.95, 0.95, 0.88)) if front else ((0.0, 0.72, -0.9), (0.7, 0.1, 0.08))
    _limb(canvas, pose, [place, place], 0.16, colour, ID["motorcycle"])


def draw_cyclist(canvas: Canvas, rng: np.random.Generator, pose: Pose) -> None:
    """A rider on a bicycle."""
    draw_bicycle(canvas, rng, pose)
    draw_rider(canvas, rng, pose, helmet=bool(rng.random() < 0.5))


def draw_motorcyclist(canvas: Canvas, rng: np.random.Generator, pose: Pose) -> None:
    """A rider with a helmet on a motorcycle."""
    draw_motorcycle(canvas, rng, pose)
    draw_rider(canvas, rng, pose, helmet=True)
