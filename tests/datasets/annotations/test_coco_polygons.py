"""Polygons cover the pixels that COCO's own tools give them."""

from __future__ import annotations

import numpy as np
import pytest

from foveate.datasets.annotations.coco_polygons import polygon_masks

Polygons = tuple[np.ndarray, ...]


def drawn(rings: Polygons, height: int, width: int) -> np.ndarray:
    mask = np.zeros((height, width), dtype=bool)
    (found,) = polygon_masks([rings], height, width)
    if found is not None:
        part, top, left = found
        mask[top : top + part.shape[0], left : left + part.shape[1]] = part
    return mask


def random_polygon(rng: np.random.Generator, kind: int) -> np.ndarray:
    """Of 1 to 12 points, also outside of the image; on whole, half or other numbers; some with repeated points."""
    count, spread = rng.integers(1, 13), rng.uniform(0, 60)
    points = rng.uniform(-20, 110, (1, 2)) + rng.normal(size=(count, 2)) * spread
    points = [np.round(points), np.round(points * 2) / 2, np.round(points, 2), points][kind % 4]
    return np.repeat(points, 2, axis=0) if kind % 5 == 0 else points


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # COCO's tools, since NumPy 2
@pytest.mark.parametrize("seed", range(8))
def test_the_same_pixels_as_coco_s_tools(seed: int) -> None:
    mask = pytest.importorskip("pycocotools.mask", reason="COCO's tools are not installed (make dev)")
    rng = np.random.default_rng(seed)
    for kind in range(150):
        height, width = rng.integers(1, 90, 2).tolist()
        rings = tuple(random_polygon(rng, kind + part) for part in range(rng.integers(1, 4)))
        lists = [ring.ravel().tolist() for ring in rings if len(ring) > 2]
        if not lists:
            continue
        theirs = mask.decode(mask.merge(mask.frPyObjects(lists, height, width))).astype(bool)
        assert np.array_equal(drawn(tuple(r for r in rings if len(r) > 2), height, width), theirs), (
            height,
            width,
            rings,
        )


def test_a_pixel_is_covered_where_its_centre_is() -> None:
    triangle = np.array([[0.0, 0], [6, 0], [0, 6]])
    rows = ["111110", "111100", "111000", "110000", "100000", "000000"]
    assert np.array_equal(drawn((triangle,), 6, 6), np.array([[c == "1" for c in row] for row in rows]))


def test_overlapping_rings_are_one_area() -> None:
    one, two = (np.array([[x, 0.0], [x + 4, 0], [x + 4, 4], [x, 4]]) for x in (0, 2))
    assert drawn((one, two), 4, 8).sum() == 4 * 6


def test_what_lies_outside_is_cut_off() -> None:
    large = np.array([[-5.0, -5], [50, -5], [50, 50], [-5, 50]])
    assert drawn((large,), 6, 7).all()
    assert list(polygon_masks([(large + 100,), ()], 6, 7)) == [None, None]


@pytest.mark.parametrize("points", [[], [[3.0, 3]], [[1.0, 1], [5, 5]], [[2.0, 2]] * 4])
def test_points_and_lines_have_no_area(points: list[list[float]]) -> None:
    assert drawn((np.array(points).reshape(-1, 2),), 8, 8).sum() == 0
