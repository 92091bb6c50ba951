"""What stands along both sides of the street: houses, walls, fences, hedges and trees."""

from __future__ import annotations

import numpy as np

from foveate.datasets.scenes.canvas import ID, STATIC, Canvas, Colour, Material
from foveate.datasets.scenes.palette import DARK, glass, grey, leaf, masonry, paint, tint

_DETAIL = 55.0  # metres; farther houses get no more than windows


def _upright(across: float, along: tuple[float, float], up: tuple[float, float]) -> np.ndarray:
    """A rectangle (4, 3) beside the street."""
    (start, stop), (low, high) = along, up
    return np.array(((across, low, start), (across, high, start), (across, high, stop), (across, low, stop)))


def _facing(across: tuple[float, float], along: float, up: tuple[float, float]) -> np.ndarray:
    """A rectangle (4, 3) that faces the camera."""
    (first, second), (low, high) = across, up
    return np.array(((first, low, along), (first, high, along), (second, high, along), (second, low, along)))


def _runs(extent: tuple[float, float], spacing: float, opening: tuple[float, float]) -> np.ndarray:
    """Openings (N, 2) = (start, stop), about `spacing` apart; `opening` is their part of each spacing, 0-1."""
    count = max(round((extent[1] - extent[0]) / spacing), 1)
    edges, step = np.linspace(*extent, count, endpoint=False, retstep=True)
    return edges[:, None] + step * np.array(opening)


def _cells(spans: np.ndarray, floors: np.ndarray) -> np.ndarray:
    """Each span (N, 2) on each floor (M, 2): rectangles (N * M, 4, 2) of (position, up)."""
    spans, floors = np.repeat(spans, len(floors), axis=0), np.tile(floors, (len(spans), 1))
    return np.stack((spans[:, (0, 0, 1, 1)], floors[:, (0, 1, 1, 0)]), axis=-1)


def _beside(cells: np.ndarray, across: float) -> np.ndarray:
    """Rectangles (N, 4, 2) of (along, up) on a front at `across`: (N, 4, 3)."""
    return np.stack((np.full(cells.shape[:-1], across), cells[..., 1], cells[..., 0]), axis=-1)


def _at_distance(cells: np.ndarray, along: float) -> np.ndarray:
    """Rectangles (N, 4, 2) of (across, up) that face the camera at `along`: (N, 4, 3)."""
    return np.stack((cells[..., 0], cells[..., 1], np.full(cells.shape[:-1], along)), axis=-1)


def paint_house(
    canvas: Canvas, rng: np.random.Generator, across: float, along: tuple[float, float], light: tuple[float, float]
) -> None:
    """A house with its front at `across`: windows on every floor, doors or shops below, a cornice on top.

    Args:
        canvas: What to paint on.
        rng: Draws height, colours and windows.
        across: Where the front stands, metres; the house lies behind it.
        along: Where it begins and ends along the street, metres.
        light: Brightness of the front and of the gable.
    """
    depth, height, colour = (12.0 if across > 0 else -12.0), rng.uniform(8.0, 20.0), masonry(rng)
    gable, front = _facing((across, across + depth), along[0], (0, height)), _upright(across, along, (0, height))
    for wall, brightness in ((gable, light[1]), (front, light[0])):
        canvas.fill(wall, tint(colour, brightness), label=ID["building"], material=Material.PLASTER)
    floors = _runs((3.4, height - 0.3), rng.uniform(2.8, 3.4), (0.22, 0.75))
    windows = _runs(along, rng.uniform(2.0, 3.2), (0.2, rng.uniform(0.62, 0.8)))
    front_colour = tint(colour, light[0])
    _paint_windows(canvas, rng, across, _cells(windows, floors), front_colour)
    if along[0] < _DETAIL:
        gable_windows = across + np.sign(depth) * _runs((0.5, 12.0), 3.0, (0.25, 0.7))
        canvas.fill(_at_distance(_cells(gable_windows, floors), along[0]), glass(rng))
        _paint_ground_floor(canvas, rng, across, along)
        canvas.fill(_upright(across, along, (height - 0.5, height)), tint(front_colour, 1.25))
        canvas.fill(_upright(across, along, (3.0, 3.3)), tint(front_colour, 0.75))


def _paint_windows(canvas: Canvas, rng: np.random.Generator, across: float, cells: np.ndarray, front: Colour) -> None:
    """Frames, panes and a bar down the middle of rectangles (N, 4, 2) of (along, up)."""
    pane, frame = glass(rng), tint(front, rng.choice((0.6, 1.35)))
    if cells[:, :, 0].min() > _DETAIL:
        canvas.fill(_beside(cells, across), pane)
        return
    middles = cells.mean(axis=1, keepdims=True)
    outside = cells + 0.12 * np.sign(cells - middles)
    bars = np.concatenate((middles[..., :1] + (cells - middles)[..., :1] * 0.08, cells[..., 1:]), axis=-1)
    for shapes, colour in ((outside, frame), (cells, pane), (bars, frame)):
        canvas.fill(_beside(shapes, across), colour)


def _paint_ground_floor(canvas: Canvas, rng: np.random.Generator, across: float, along: tuple[float, float]) -> None:
    """Shop windows under a signboard, or doors."""
    if rng.random() < 0.4:
        shops = _cells(_runs(along, rng.uniform(1.6, 2.6), (0.1, 0.9)), np.array(((0.5, 2.5),)))
        canvas.fill(_beside(shops, across), glass(rng))
        canvas.fill(_upright(across, along, (2.6, 3.0)), paint(rng))
    else:
        doors = _cells(_runs(along, rng.uniform(3.0, 5.0), (0.3, 0.6)), np.array(((0.0, 2.3),)))
        canvas.fill(_beside(doors, across), paint(rng))


def paint_wall(canvas: Canvas, rng: np.random.Generator, across: float, along: tuple[float, float]) -> None:
    """A wall of blocks in courses under a coping, 2-2.8 m high."""
    height, colour = rng.uniform(2.0, 2.8), masonry(rng)
    canvas.fill(_upright(across, along, (0, height)), colour, label=ID["wall"], material=Material.PLASTER)
    tops = np.arange(0.4, height, 0.4)
    for row, top in enumerate(tops):
        shift = 0.5 * (row % 2)
        upright_joints = _runs((along[0] + shift, along[1]), 1.0, (0.0, 0.08))
        canvas.fill(_beside(_cells(upright_joints, np.array(((top - 0.4, top),))), across), tint(colour, 0.55))
    joints = _cells(np.array((along,)), np.stack((tops - 0.04, tops + 0.04), axis=1))
    canvas.fill(_beside(joints, across), tint(colour, 0.55))
    canvas.fill(_upright(across, along, (height - 0.12, height + 0.05)), tint(colour, 1.3), label=ID["wall"])


def paint_fence(canvas: Canvas, rng: np.random.Generator, across: float, along: tuple[float, float]) -> None:
    """Bars between two rails; the gaps show what is behind, the label is solid."""
    height, colour = rng.uniform(1.8, 2.5), paint(rng)
    canvas.mark(_upright(across, along, (0, height)), ID["fence"])
    bars = _cells(_runs(along, 0.5, (0.3, 0.65)), np.array(((0.05, height),)))
    canvas.fill(_beside(bars, across), colour)
    for up in (0.2, height - 0.2):
        canvas.fill(_upright(across, along, (up - 0.08, up + 0.08)), tint(colour, 0.85))
    posts = _cells(_runs(along, 2.5, (0.0, 0.08)), np.array(((0.0, height + 0.1),)))
    canvas.fill(_beside(posts, across), tint(colour, 0.7))


def _bumpy_rings(rng: np.random.Generator, count: int, corners: int) -> np.ndarray:
    """Closed outlines (count, corners, 2) of radius about 1."""
    turn = np.linspace(0, 2 * np.pi, corners, endpoint=False)
    return np.stack((np.cos(turn), np.sin(turn)), axis=-1) * rng.uniform(0.86, 1.12, (count, corners, 1))


def paint_tree(canvas: Canvas, rng: np.random.Generator, across: float, along: float, size: float) -> None:
    """A trunk and a crown of a few clumps; `size` is the height in metres."""
    colour, bark, label = leaf(rng), tint(grey(rng, 0.2, 0.4), 0.8), ID["vegetation"]
    trunk = np.array(((across, 0.0, along), (across, size * 0.6, along)))
    canvas.stroke(trunk, size * 0.05, bark, label=label)
    for brightness in (0.82, 1.0, 1.15):
        middles = np.array((across, size * 0.7)) + rng.normal(0, 1, (2, 1, 2)) * (size * 0.14, size * 0.1)
        clumps = middles + _bumpy_rings(rng, 2, 20) * size * rng.uniform(0.18, 0.27, (2, 1, 1))
        crown = _at_distance(clumps, along)
        canvas.fill(crown, tint(colour, brightness), label=label, material=Material.FOLIAGE)


def paint_hedge(canvas: Canvas, rng: np.random.Generator, across: float, along: tuple[float, float]) -> None:
    """A row of bushes with a ragged top, 1.5-4 m high."""
    height, colour = rng.uniform(1.5, 4.0), leaf(rng)
    stations = np.linspace(*along, max(int((along[1] - along[0]) / 0.7), 3))
    top = height * rng.uniform(0.85, 1.12, len(stations))
    upper = np.stack((np.full_like(top, across), top, stations), axis=-1)
    outline = np.concatenate((upper, (upper * (1.0, 0.0, 1.0))[::-1]))
    canvas.fill(outline, colour, label=ID["vegetation"], material=Material.FOLIAGE)
    side = 1.0 if across > 0 else -1.0
    end = _facing((across, across + side * 3.0), along[0], (0.0, float(top[0])))
    canvas.fill(end, tint(colour, 0.85), label=ID["vegetation"], material=Material.FOLIAGE)


def paint_skyline(canvas: Canvas, rng: np.random.Generator, along: float) -> None:
    """Far houses and woods that close the view, `along` metres away."""
    across = -180.0
    while across < 180.0:
        width, height = rng.uniform(10, 25), rng.uniform(8, 20)
        if rng.random() < 0.5:
            block = _facing((across, across + width), along, (0.0, height))
            canvas.fill(block, masonry(rng), label=ID["building"], material=Material.PLASTER)
            windows = _cells(_runs((across, across + width), 4.0, (0.25, 0.75)), _runs((2.0, height), 4.0, (0.25, 0.7)))
            canvas.fill(_at_distance(windows, along), glass(rng))
        else:
            ring = _bumpy_rings(rng, 1, 30) * (width * 0.7, height * 0.7) + (across + width / 2, 0.0)
            ring[..., 1] = np.maximum(ring[..., 1], 0.0)
            canvas.fill(_at_distance(ring, along), leaf(rng), label=ID["vegetation"], material=Material.FOLIAGE)
        across += width


def paint_pole(canvas: Canvas, across: float, along: float, height: float, colour: Colour) -> None:
    """A post 0.4 m wide: a thinner one would be a pixel or two in a picture of 128 rows."""
    post = np.array(((across, 0.0, along), (across, height, along)))
    canvas.stroke(post, 0.4, colour, label=ID["pole"], least=_least_pole(canvas))


def _least_pole(canvas: Canvas) -> int:
    """Pixels: two where the picture has 256 rows."""
    return max(1, round(canvas.camera.height / 128))


def paint_lamp(canvas: Canvas, rng: np.random.Generator, across: float, along: float) -> None:
    """A post with an arm over the road; the label of the arm is the post's."""
    height, colour, arm = rng.uniform(4.5, 6.5), grey(rng, 0.5, 0.75), -np.sign(across) * 1.6
    paint_pole(canvas, across, along, height, colour)
    path = np.array(((across, height - 0.1, along), (across + arm, height + 0.2, along)))
    canvas.stroke(path, 0.35, colour, label=ID["pole"], least=_least_pole(canvas))
    head = path[1:] + np.array(((-0.4, 0.0, 0.0), (0.4, 0.0, 0.0)))
    canvas.stroke(head, 0.45, tint(colour, 1.3), label=ID["pole"])


def paint_traffic_light(canvas: Canvas, rng: np.random.Generator, across: float, along: float) -> None:
    """A post with a dark box of three lamps, one of them lit."""
    middle = rng.uniform(2.9, 3.8)
    paint_pole(canvas, across, along, middle + 0.3, grey(rng, 0.5, 0.75))
    box = _facing((across - 0.45, across + 0.45), along, (middle - 1.0, middle + 1.0))
    canvas.fill(box, (0.12, 0.13, 0.13), label=ID["traffic light"])
    lit = rng.integers(3)
    for lamp, colour in enumerate(((0.9, 0.15, 0.1), (0.95, 0.7, 0.15), (0.15, 0.8, 0.35))):
        place = np.array((across, middle + 0.62 - 0.62 * lamp, along))
        canvas.stroke(np.stack((place, place)), 0.5, colour if lamp == lit else tint(colour, 0.3))


def paint_sign(canvas: Canvas, rng: np.random.Generator, across: float, along: float) -> None:
    """A post with a plate: round, triangular, square or a long board, with a border and a figure."""
    middle, size = rng.uniform(2.4, 3.2), rng.uniform(0.65, 0.85)
    paint_pole(canvas, across, along, middle + 0.2, grey(rng, 0.5, 0.75))
    corners = int(rng.choice((3, 4, 4, 20)))
    turn = np.linspace(0, 2 * np.pi, corners, endpoint=False) + (np.pi / 4 if corners == 4 else np.pi / 2)
    wide = rng.uniform(1.0, 1.5) if corners == 4 else 1.0
    plate = np.stack((np.cos(turn) * wide, np.sin(turn), np.zeros(corners)), axis=-1) * size
    centre, border, face = np.array((across, middle, along)), paint(rng), grey(rng, 0.75, 0.92)
    canvas.fill(centre + plate, border, label=ID["traffic sign"])
    canvas.fill(centre + 0.74 * plate, face)
    canvas.stroke(centre + size * np.array(((-0.3, 0.0, 0.0), (0.3, 0.0, 0.0))), size * 0.25, paint(rng))


def paint_bin(canvas: Canvas, rng: np.random.Generator, across: float, along: float) -> None:
    """A litter bin or switch box, which Cityscapes calls static (void)."""
    colour = paint(rng)
    canvas.fill(_facing((across - 0.35, across + 0.35), along, (0.0, 1.1)), colour, label=STATIC)
    canvas.fill(_facing((across - 0.4, across + 0.4), along, (1.0, 1.2)), DARK, label=STATIC)
