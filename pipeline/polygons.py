"""Label maps as polygons along the edges of pixels, which give the label map back exactly."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import cv2
import numpy as np
from jaxtyping import Bool, UInt8
from numpy.typing import NDArray

Labels = UInt8[np.ndarray, "H W"]
Mask = Bool[np.ndarray, "H W"]
Corner = tuple[int, int]  # (x, y), between pixels: (0, 0) is the image's corner at the top left
Ring = list[Corner]
Step = tuple[int, int]  # a direction, (dx, dy)


class Region(NamedTuple):
    """Connected pixels of one class; pixels that touch at a corner only are not connected.

    Attributes:
        train_id: The class.
        left: Of the smallest box around it.
        top: Of the smallest box around it.
        mask: The pixels of the box that belong to it.
    """

    train_id: int
    left: int
    top: int
    mask: Mask


def find_regions(labels: Labels, count: int) -> Iterator[Region]:
    """The regions of each class, in the order of the classes; ignored pixels belong to none.

    Args:
        labels: Train ids.
        count: Number of classes.
    """
    for train_id in range(count):
        of_class = (labels == train_id).astype(np.uint8)
        if not of_class.any():
            continue
        _, numbers, boxes, _ = cv2.connectedComponentsWithStats(of_class, connectivity=4)
        for number, (left, top, width, height, _) in enumerate(np.asarray(boxes).tolist()):
            if number > 0:  # 0 is what is not of the class
                box = np.asarray(numbers)[top : top + height, left : left + width]
                yield Region(train_id, left, top, box == number)


def rings_of(mask: Mask, left: int = 0, top: int = 0) -> list[Ring]:
    """The outline of a connected region, and then those of its holes.

    They run along the edges of pixels, with the region on the right as seen in an image. A ring does not touch itself;
    two rings may touch in a corner.

    Args:
        mask: The region; its pixels are connected by edges.
        left: Added to each x.
        top: Added to each y.

    Example:
        >>> rings_of(np.array([[True, True]]))
        [[(0, 0), (2, 0), (2, 1), (0, 1)]]
    """
    padded = np.pad(mask, 1).astype(np.int8)
    across = _runs(np.diff(padded, axis=0)[:, 1:-1])  # above 0 where the region lies below: to the right
    down = _runs(-np.diff(padded, axis=1)[1:-1].T)  # above 0 where it lies to the left: downwards
    ends: dict[tuple[Corner, Step], Corner] = {}  # where each straight piece ends, by its start and direction
    for row, first, last, sign in across:
        ends[(first, row), (sign, 0)] = (last, row)
    for column, first, last, sign in down:
        ends[(column, first), (0, sign)] = (column, last)
    rings = []
    while ends:
        rings.append(_walk(ends))
    rings.sort(key=signed_area, reverse=True)  # that of the outline is above 0, those of holes are below
    return [[(x + left, y + top) for x, y in ring] for ring in rings]


def _runs(edges: NDArray[np.int8]) -> Iterator[tuple[int, int, int, int]]:
    """The straight pieces in each line of edges: line, start, end, and the sign of their direction."""
    lines, places = np.nonzero(np.diff(np.pad(edges, ((0, 0), (1, 1))), axis=1))
    length = edges.shape[1]
    for line, start, stop in zip(lines.tolist(), places.tolist(), [*places[1:].tolist(), 0], strict=True):
        sign = int(edges[line, start]) if start < length else 0
        if sign:
            yield (line, start, stop, sign) if sign > 0 else (line, stop, start, sign)


def _walk(ends: dict[tuple[Corner, Step], Corner]) -> Ring:
    """Take one ring out of the straight pieces."""
    start, step = next(iter(ends))
    ring, corner = [start], ends.pop((start, step))
    while corner != start:
        ring.append(corner)
        left, right = (step[1], -step[0]), (-step[1], step[0])
        step = left if (corner, left) in ends else right  # where four pieces meet, left keeps rings simple
        corner = ends.pop((corner, step))
    return ring


def signed_area(ring: Sequence[Corner]) -> float:
    """The area within a ring, in pixels; below 0 for the ring of a hole.

    Args:
        ring: Its corners.

    Example:
        >>> signed_area([(0, 0), (2, 0), (2, 1), (0, 1)])
        2.0
    """
    following = [*ring[1:], ring[0]]
    return sum(x * after_y - after_x * y for (x, y), (after_x, after_y) in zip(ring, following, strict=True)) / 2


def coco_polygons(labels: Labels, classes: Sequence[str]) -> list[dict[str, Any]]:
    """The regions of a label map as COCO's annotations.

    A region with holes is stored as run lengths, since COCO fills every polygon of an annotation.

    Args:
        labels: Train ids.
        classes: Names of the classes; the category of train id 0 is 1.
    """
    found = []
    for number, region in enumerate(find_regions(labels, len(classes)), 1):
        rings = rings_of(region.mask, region.left, region.top)
        height, width = region.mask.shape
        shape: Any = [[float(value) for corner in rings[0] for value in corner]]
        found.append(
            {
                "id": number,
                "category_id": region.train_id + 1,
                "segmentation": shape if len(rings) == 1 else run_lengths(region, labels.shape),
                "area": int(region.mask.sum()),
                "bbox": [region.left, region.top, width, height],
                "iscrowd": 0,
            }
        )
    return found


def run_lengths(region: Region, size: tuple[int, ...]) -> dict[str, Any]:
    """A region as COCO's run lengths, not compressed: down the columns, pixels outside first.

    Args:
        region: The region.
        size: Height and width of the label map.

    Example:
        >>> run_lengths(Region(0, 1, 0, np.array([[True], [True]])), (2, 3))
        {'size': [2, 3], 'counts': [2, 2, 2]}
    """
    whole = np.zeros(size[::-1], dtype=bool)  # columns first
    height, width = region.mask.shape
    whole[region.left : region.left + width, region.top : region.top + height] = region.mask.T
    changes = np.flatnonzero(np.diff(whole.ravel(), prepend=False))
    counts = np.diff([0, *changes.tolist(), whole.size])
    return {"size": list(size), "counts": counts.tolist()}


def geojson_polygons(labels: Labels, classes: Sequence[str]) -> list[dict[str, Any]]:
    """The regions of a label map as features of GeoJSON, in pixels from the top left; holes are rings of their own.

    Args:
        labels: Train ids.
        classes: Names of the classes.
    """
    return [
        {
            "type": "Feature",
            "geometry": {
                "type": "Polygon",
                "coordinates": [
                    [list(corner) for corner in (*ring, ring[0])]
                    for ring in rings_of(region.mask, region.left, region.top)
                ],
            },
            "properties": {
                "class": classes[region.train_id],
                "train_id": region.train_id,
                "area": int(region.mask.sum()),
            },
        }
        for region in find_regions(labels, len(classes))
    ]


def coco_file(labels: Labels, classes: Sequence[str], name: str) -> dict[str, Any]:
    """A COCO file of one image.

    Args:
        labels: Train ids.
        classes: Names of the classes.
        name: Path of the image.
    """
    height, width = labels.shape
    annotations = [{**annotation, "image_id": 1} for annotation in coco_polygons(labels, classes)]
    return {
        "images": [{"id": 1, "file_name": name, "height": height, "width": width}],
        "annotations": annotations,
        "categories": [{"id": number, "name": name} for number, name in enumerate(classes, 1)],
    }


def geojson_file(labels: Labels, classes: Sequence[str]) -> dict[str, Any]:
    """A GeoJSON file of one image, in pixels.

    Args:
        labels: Train ids.
        classes: Names of the classes.
    """
    return {"type": "FeatureCollection", "features": geojson_polygons(labels, classes)}
