"""Drawn scenes whose labels are wrong in known places: swapped classes, shifted and missing objects."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from foveate.datasets.labels import CITYSCAPES
from foveate.datasets.synthetic import write_scenes

KINDS = ("swap", "shift", "missing")
OBJECTS = {
    "object": ("traffic light", "traffic sign"),
    "human": ("person", "rider"),
    "vehicle": ("car", "truck", "bus", "train", "motorcycle", "bicycle"),
}
SMALLEST = 100  # pixels of an object in which a fault is planted
SHIFTS = (5, 9)  # pixels, least and most
FAULTS = "faults.json"
NUMBERS = "faults"  # folder: for each label map, which pixels were changed by which fault
Map = NDArray[np.uint8]


@dataclass(frozen=True)
class Fault:
    """One planted fault.

    Attributes:
        number: From 1; its value in the map of changed pixels.
        kind: swap, shift or missing.
        frame: Stem of the frame.
        was: The object's class.
        box: x0, y0, x1, y1 of the changed pixels.
        pixels: How many were changed.
    """

    number: int
    kind: str
    frame: str
    was: str
    box: tuple[int, int, int, int]
    pixels: int


def plant(root: Path, *, scenes: int, size: tuple[int, int], each: int, seed: int = 0) -> list[Fault]:
    """Make scenes with faults in their training labels; made once.

    Args:
        root: Folder to write to.
        scenes: Training scenes; a quarter as many are for validation, without faults.
        size: Height and width.
        each: Faults of each kind.
        seed: Which objects.
    """
    if (root / FAULTS).is_file():
        return [Fault(**{**one, "box": tuple(one["box"])}) for one in json.loads((root / FAULTS).read_text())]
    write_scenes(root, train=scenes, val=scenes // 4, height=size[0], width=size[1])
    rng = np.random.default_rng(seed)
    files = sorted((root / "gtFine" / "train").rglob("*_labelIds.png"))
    labels = {file: np.asarray(cv2.imread(str(file), cv2.IMREAD_UNCHANGED), np.uint8) for file in files}
    found = [(file, box) for file in files for box in objects_of(labels[file])]
    chosen = rng.permutation(len(found))[: len(KINDS) * each]
    faulty = {file: label.copy() for file, label in labels.items()}
    numbers = {file: np.zeros_like(label) for file, label in labels.items()}
    faults = []
    for number, place in enumerate(chosen, start=1):
        file, mask = found[int(place)]
        kind = KINDS[number % len(KINDS)]
        changed = change(labels[file], mask, kind, rng)
        where = (changed != labels[file]) & (numbers[file] == 0)
        faulty[file][where], numbers[file][where] = changed[where], number
        rows, columns = np.nonzero(where)
        box = (int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1)
        was = CITYSCAPES.names[CITYSCAPES.ids.index(int(labels[file][mask][0]))]
        frame = file.name.removesuffix("_gtFine_labelIds.png")
        faults.append(Fault(number, kind, frame, was, box, int(where.sum())))
    for file in files:
        cv2.imwrite(str(file), faulty[file])
        place = root / NUMBERS / f"{file.name.removesuffix('_gtFine_labelIds.png')}.png"
        place.parent.mkdir(exist_ok=True)
        cv2.imwrite(str(place), numbers[file])
    (root / FAULTS).write_text(json.dumps([asdict(fault) for fault in faults], indent=1))
    return faults


def objects_of(label: Map) -> list[NDArray[np.bool_]]:
    """The connected areas of the classes of things that are large enough."""
    found = []
    for name in (name for names in OBJECTS.values() for name in names):
        regular = CITYSCAPES.ids[CITYSCAPES.names.index(name)]
        count, parts, stats, _ = cv2.connectedComponentsWithStats((label == regular).astype(np.uint8))
        found += [parts == part for part in range(1, count) if stats[part, cv2.CC_STAT_AREA] >= SMALLEST]
    return found


def change(label: Map, mask: NDArray[np.bool_], kind: str, rng: np.random.Generator) -> Map:
    """A label map with a fault in one object."""
    changed = label.copy()
    own = int(label[mask][0])
    if kind == "swap":
        categories = [[CITYSCAPES.ids[CITYSCAPES.names.index(name)] for name in names] for names in OBJECTS.values()]
        changed[mask] = rng.choice([other for ids in categories if own not in ids for other in ids])
        return changed
    changed[mask] = surroundings(label, mask)[mask]
    if kind == "shift":
        distance, angle = rng.uniform(*SHIFTS), rng.uniform(0, 2 * np.pi)
        move = np.array([[1, 0, round(distance * np.cos(angle))], [0, 1, round(distance * np.sin(angle))]], np.float32)
        moved = cv2.warpAffine(mask.astype(np.uint8), move, mask.shape[::-1], flags=cv2.INTER_NEAREST)
        changed[moved > 0] = own
    return changed


def surroundings(label: Map, mask: NDArray[np.bool_]) -> Map:
    """For each pixel the label of the nearest pixel outside of the object."""
    _, nearest = cv2.distanceTransformWithLabels(mask.astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    of_number = np.zeros(int(nearest.max()) + 1, np.uint8)
    of_number[nearest[~mask]] = label[~mask]
    return np.asarray(of_number[nearest], np.uint8)
