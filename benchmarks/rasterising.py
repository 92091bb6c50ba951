"""Table row: index masks from COCO's polygons and run lengths."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from foveate.benchmarks.pairing import alternate
from foveate.benchmarks.results import Goal, Result, Settings
from foveate.datasets.annotations.coco import rle_bitmap
from foveate.datasets.annotations.model import AnnotatedImage, Region
from foveate.datasets.annotations.rasterise import rasterise
from foveate.datasets.annotations.rle import unpack_counts

HEIGHT, WIDTH, IMAGES, CLASSES = 480, 640, 100, 80
OBJECTS, POINTS = 7.3, (8, 60)  # objects in an image, as in COCO's training images; points of a polygon
CROWDS = 0.1  # share of objects given as run lengths
Drawn = list[tuple[int, Any]]  # class and polygons or run lengths, as COCO's file holds them


def run(settings: Settings) -> Result:
    """COCO's tools and ours on the same regions, after a look whether their masks are the same."""
    rng = np.random.default_rng(0)
    images = [made(rng) for _ in range(IMAGES)]
    ours = [as_ours(drawn) for drawn in images]
    candidates = {
        "pycocotools": lambda: [by_peer(drawn) for drawn in images],
        "ours": lambda: [rasterise(one, VALUES, 0) for one in ours],
    }
    for theirs, mine in zip(candidates["pycocotools"](), candidates["ours"](), strict=True):
        assert np.array_equal(theirs, mine)
    seconds = alternate(candidates, rounds=settings.times(15))
    what = (
        f"{IMAGES} masks of {HEIGHT} x {WIDTH} with {OBJECTS} objects on average, a tenth of them packed run lengths, "
        "the rest one or two polygons of 8 to 60 points. pycocotools: polygons to run lengths, their union, decoded to "
        "a full image, and written into the mask; one thread for both. The masks are equal."
    )
    return Result(
        "rasterising", "COCO polygons to masks", what, seconds, [Goal("mask of an image", "pycocotools", "ours")]
    )


VALUES = {str(number): number + 1 for number in range(CLASSES)}


def made(rng: np.random.Generator) -> Drawn:
    """The objects of an image, in drawing order."""
    count = max(1, int(rng.poisson(OBJECTS)))
    return [(int(rng.integers(CLASSES)), shape(rng)) for _ in range(count)]


def shape(rng: np.random.Generator) -> Any:
    """One or two polygons, or run lengths."""
    from pycocotools import mask

    lists = [polygon(rng) for _ in range(rng.choice([1, 1, 1, 2]))]
    if rng.random() >= CROWDS:
        return lists
    packed = mask.merge(mask.frPyObjects(lists, HEIGHT, WIDTH))
    return {"size": packed["size"], "counts": packed["counts"].decode()}


def polygon(rng: np.random.Generator) -> list[float]:
    """A star round some point, of sides from 8 to 220 pixels, cut off at the edges of the image."""
    count, reach = rng.integers(*POINTS), np.exp(rng.uniform(np.log(8), np.log(220)))
    angles, radii = np.sort(rng.uniform(0, 2 * np.pi, count)), reach * rng.uniform(0.6, 1, count)
    points = rng.uniform([0, 0], [WIDTH, HEIGHT]) + np.stack([np.cos(angles), np.sin(angles)], axis=1) * radii[:, None]
    return list(np.round(points.clip(0, [WIDTH, HEIGHT]), 2).ravel().tolist())


def by_peer(drawn: Drawn) -> np.ndarray:
    """The mask by COCO's own tools."""
    from pycocotools import mask

    canvas = np.zeros((HEIGHT, WIDTH), dtype=np.uint8)
    for number, given in drawn:
        packed = given if isinstance(given, dict) else mask.merge(mask.frPyObjects(given, HEIGHT, WIDTH))
        canvas[mask.decode(packed).astype(bool)] = number + 1
    return canvas


def as_ours(drawn: Drawn) -> AnnotatedImage:
    """The same objects as our reader gives them."""
    return AnnotatedImage(image=Path("a"), name="a", height=HEIGHT, width=WIDTH, regions=list(map(region, drawn)))


def region(drawn: tuple[int, Any]) -> Region:
    """An object as our reader gives it."""
    number, given = drawn
    if isinstance(given, dict):
        bitmap = rle_bitmap(unpack_counts(given["counts"], "made"), (HEIGHT, WIDTH))
        return Region(label=str(number), bitmap=bitmap)
    return Region(label=str(number), rings=tuple(np.array(flat).reshape(-1, 2) for flat in given))
