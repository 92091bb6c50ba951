"""Regions are painted by the rule of their tool, later ones on top."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image, ImageDraw

from foveate.datasets.annotations.model import AnnotatedImage, Bitmap, Region, Rule
from foveate.datasets.annotations.rasterise import rasterise
from foveate.datasets.annotations.shapes import area, ellipse, rectangle
from foveate.datasets.errors import DataError

RULES: tuple[Rule, ...] = ("coco", "pillow", "opencv")


def image(regions: list[Region], rule: Rule = "coco", height: int = 40, width: int = 50) -> AnnotatedImage:
    return AnnotatedImage(image=Path("a.png"), name="a.png", height=height, width=width, regions=regions, rule=rule)


def region(label: str, ring: np.ndarray, **more: Any) -> Region:
    return Region(label=label, rings=(ring,), **more)


def stamp(label: str, pixels: np.ndarray, top: int, left: int) -> Region:
    return Region(label=label, bitmap=Bitmap(top=top, left=left, decode=lambda: pixels, key=b"x"))


@pytest.mark.parametrize("seed", range(5))
def test_the_pillow_rule_is_that_of_the_official_scripts(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rings = [rng.uniform(-10, 60, (rng.integers(3, 9), 2)) for _ in range(12)]
    theirs = Image.new("L", (50, 40), 0)
    for value, ring in enumerate(rings, start=1):
        ImageDraw.Draw(theirs).polygon([(float(x), float(y)) for x, y in ring], fill=value)
    regions = [region(str(value), ring) for value, ring in enumerate(rings, start=1)]
    assert np.array_equal(rasterise(image(regions, "pillow"), {str(n): n for n in range(1, 13)}, 0), np.array(theirs))


def test_the_opencv_rule_fills_and_cuts_out_as_its_tools_do() -> None:
    outer, inner = rectangle(5, 5, 30, 30), rectangle(10, 10, 20, 20)
    theirs = np.zeros((40, 50), dtype=np.uint8)
    cv2.fillPoly(theirs, [outer.astype(np.int32)], 3)
    cv2.fillPoly(theirs, [inner.astype(np.int32)], 0)
    assert np.array_equal(rasterise(image([region("a", outer, holes=(inner,))], "opencv"), {"a": 3}, 0), theirs)


@pytest.mark.parametrize("rule", RULES)
def test_a_hole_shows_what_lies_below(rule: Rule) -> None:
    below = region("below", rectangle(0, 0, 49, 39))
    above = region("above", rectangle(5, 5, 30, 30), holes=(rectangle(10, 10, 20, 20),))
    mask = rasterise(image([below, above], rule), {"below": 1, "above": 2}, 0)
    assert [mask[15, 15], mask[7, 7], mask[35, 35]] == [1, 2, 1]


@pytest.mark.parametrize("rule", RULES)
def test_later_regions_lie_on_top_polygons_and_pixels_alike(rule: Rule) -> None:
    square, pixels = rectangle(10, 10, 20, 20), np.ones((5, 5), dtype=bool)
    regions = [region("a", square), stamp("b", pixels, 8, 8), region("c", rectangle(11, 11, 12, 12))]
    mask = rasterise(image(regions, rule), {"a": 1, "b": 2, "c": 3}, 0)
    assert [mask[9, 9], mask[10, 10], mask[11, 11], mask[18, 18]] == [2, 2, 3, 1]


def test_a_class_without_a_value_is_left_out_and_ignored_regions_are_ignored() -> None:
    regions = [region("a", rectangle(0, 0, 20, 20)), region("other", rectangle(0, 0, 10, 10))]
    regions.append(region("a", rectangle(10, 10, 20, 20), ignore=True))
    mask = rasterise(image(regions), {"a": 1}, 0)
    assert [mask[5, 5], mask[15, 15], mask[30, 30]] == [1, 255, 0]


@pytest.mark.parametrize(
    ("top", "left", "count"), [(-2, -3, 3 * 2), (38, 48, 4), (0, 0, 25), (100, 100, 0), (-9, 0, 0)]
)
def test_pixels_beyond_the_image_are_cut_off(top: int, left: int, count: int) -> None:
    mask = rasterise(image([stamp("a", np.ones((5, 5), dtype=bool), top, left)]), {"a": 1}, 0)
    assert mask.sum() == count


@pytest.mark.parametrize("rule", RULES)
def test_large_values_give_16_bits(rule: Rule) -> None:
    regions = [region("a", rectangle(0, 0, 20, 20)), stamp("b", np.ones((2, 2), dtype=bool), 30, 30)]
    mask = rasterise(image(regions, rule), {"a": 256, "b": 65535}, 7)
    assert mask.dtype == np.uint16
    assert np.unique(mask).tolist() == [7, 256, 65535]
    with pytest.raises(DataError, match="at most 65535, not 65536"):
        rasterise(image(regions), {"a": 65536}, 0)


def test_an_ellipse_covers_its_area() -> None:
    mask = rasterise(image([region("a", ellipse(25, 20, 18.5, 12.25))]), {"a": 1}, 0)
    rows, columns = np.mgrid[:40, :50] + 0.5
    inside = ((columns - 25) / 18.5) ** 2 + ((rows - 20) / 12.25) ** 2
    assert mask[inside < 0.97].all()
    assert not mask[inside > 1.03].any()


def test_a_turned_rectangle_keeps_its_centre_and_its_area() -> None:
    ring = rectangle(10, 10, 30, 20, 30)
    assert np.allclose(ring.mean(axis=0), (20, 15))
    assert np.isclose(area(ring), 200)
    assert ring[0, 1] < ring[1, 1]  # clockwise: the right corner goes down
