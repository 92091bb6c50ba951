"""Polygons of label maps give the label maps back, by the rasterisers that users have."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest
from pycocotools import mask as coco_masks

from foveate.pipeline.polygons import coco_polygons, find_regions, geojson_polygons, rings_of, signed_area

CLASSES = ("a", "b", "c")


def speckled(seed: int, size: tuple[int, int] = (23, 31)) -> np.ndarray:
    """Labels in which regions have holes, touch at corners and are one pixel wide."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 3, (6, 8), dtype=np.uint8).repeat(4, 0).repeat(4, 1)[: size[0], : size[1]]
    noise = rng.integers(0, 3, size, dtype=np.uint8)
    labels = np.where(rng.random(size) < 0.15, noise, coarse).astype(np.uint8)
    labels[rng.random(size) < 0.03] = 255
    return labels


def filled(annotations: list[dict[str, Any]], size: tuple[int, int]) -> np.ndarray:
    """The label map by COCO's own tools; a pixel in two regions is an error."""
    out, count = np.full(size, 255, np.uint8), np.zeros(size, int)
    for one in annotations:
        shape = one["segmentation"]
        coded = coco_masks.frPyObjects(shape, *size)
        inside = coco_masks.decode(coco_masks.merge(coded) if isinstance(shape, list) else coded).astype(bool)
        assert inside.sum() == one["area"]
        out[inside] = one["category_id"] - 1
        count += inside
    assert count.max() <= 1
    return out


@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")  # pycocotools'
@pytest.mark.parametrize("seed", range(8))
def test_coco_s_tools_give_the_labels_back(seed: int) -> None:
    labels = speckled(seed)
    annotations = coco_polygons(labels, CLASSES)
    assert np.array_equal(filled(annotations, labels.shape), labels)
    kinds = {type(one["segmentation"]) for one in annotations}
    assert kinds == {list, dict}  # regions without and with holes
    left, top, width, height = annotations[0]["bbox"]
    box = labels[top : top + height, left : left + width] == annotations[0]["category_id"] - 1
    assert box.any(0).all()
    assert box.any(1).all()


def even_odd(rings: list[list[list[int]]], size: tuple[int, int]) -> np.ndarray:
    """Pixels whose centres lie within an odd number of rings."""
    inside = np.zeros(size, int)
    doubled = (2 * size[0] + 1, 2 * size[1] + 1)
    for ring in rings:
        assert ring[0] == ring[-1]
        canvas = np.zeros(doubled, np.uint8)
        cv2.fillPoly(canvas, [2 * np.array(ring[:-1], np.int32)], 1)  # the centres lie at odd places, off every edge
        inside += canvas[1::2, 1::2]
    return inside % 2 == 1


@pytest.mark.parametrize("seed", range(4))
def test_geojson_s_rings_give_the_labels_back(seed: int) -> None:
    labels = speckled(seed)
    out = np.full(labels.shape, 255, np.uint8)
    for feature in geojson_polygons(labels, CLASSES):
        rings = feature["geometry"]["coordinates"]
        inside = even_odd(rings, labels.shape)
        assert inside.sum() == feature["properties"]["area"]
        out[inside] = feature["properties"]["train_id"]
        assert CLASSES[feature["properties"]["train_id"]] == feature["properties"]["class"]
    assert np.array_equal(out, labels)


@pytest.mark.parametrize("seed", range(4))
def test_rings_do_not_touch_themselves_and_the_outline_comes_first(seed: int) -> None:
    for region in find_regions(speckled(seed), 3):
        rings = rings_of(region.mask)
        assert all(len(set(ring)) == len(ring) for ring in rings)
        areas = [signed_area(ring) for ring in rings]
        assert areas[0] > 0
        assert all(area < 0 for area in areas[1:])
        assert sum(areas) == region.mask.sum()


def test_a_hole_that_touches_the_outline_in_a_corner_is_a_ring_of_its_own() -> None:
    mask = np.ones((4, 4), bool)
    mask[0, 0] = mask[1, 1] = False
    rings = rings_of(mask)
    assert [abs(signed_area(ring)) for ring in rings] == [15, 1]


def test_ignored_pixels_and_classes_that_do_not_occur_have_no_polygon() -> None:
    assert coco_polygons(np.full((3, 4), 255, np.uint8), CLASSES) == []
    (one,) = geojson_polygons(np.full((3, 4), 1, np.uint8), CLASSES)
    assert one["geometry"]["coordinates"] == [[[0, 0], [4, 0], [4, 3], [0, 3], [0, 0]]]
