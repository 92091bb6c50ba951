"""Names beside the points of a plot."""

from __future__ import annotations

import itertools
import random

import pytest

from foveate.pipeline.reporting.labels import label_points, place_names

NAMES = ("none", "se", "eca", "cbam", "cbam_channel", "coordinate", "lka", "strip_pooling", "self_attention", "gc")


def test_names_stay_where_there_is_room() -> None:
    assert place_names({"a": (0, 0), "b": (0, 40), "c": (300, 1)}, size=8) == {"a": 0.0, "b": 0.0, "c": 0.0}


def test_names_keep_the_order_of_their_points_and_their_mean_height() -> None:
    points = {"low": (0.0, 0.0), "middle": (1.0, 1.0), "high": (2.0, 2.0)}
    moves = place_names(points, size=10)
    heights = {name: points[name][1] + move for name, move in moves.items()}
    assert heights["high"] - heights["middle"] == pytest.approx(11.5)
    assert heights["middle"] - heights["low"] == pytest.approx(11.5)
    assert sum(moves.values()) == pytest.approx(0)


@pytest.mark.parametrize("seed", range(5))
def test_no_name_covers_another_in_the_picture(seed: int) -> None:
    figures = pytest.importorskip("matplotlib.figure")
    draw = random.Random(seed)
    points = {name: (draw.choice((1.0, 1.05, 1.3, 2.5)), draw.gauss(0, 1)) for name in NAMES}
    figure = figures.Figure(figsize=(5.6, 4.2), layout="constrained")
    axes = figure.subplots()
    axes.plot(*zip(*points.values(), strict=True), "o")
    label_points(axes, points, colour="black")
    figure.draw_without_rendering()
    names = [text for text in axes.texts if text.get_text() in points]
    boxes = {text.get_text(): super(type(text), text).get_window_extent() for text in names}
    assert set(boxes) == set(points)
    for one, other in itertools.combinations(boxes, 2):
        shared = boxes[one].intersection(boxes[one], boxes[other])
        assert shared is None or min(shared.width, shared.height) < 1.5, (one, other)
    assert all(box.x1 <= figure.bbox.x1 for box in boxes.values())
