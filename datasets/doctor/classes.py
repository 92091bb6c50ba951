"""Checks of classes: which occur, where, and how large their objects are."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from foveate.datasets.doctor.check import Check
from foveate.datasets.doctor.facts import Facts
from foveate.datasets.doctor.finding import Found, Place, Severity
from foveate.datasets.doctor.objects import typical_side
from foveate.datasets.text import few

SHOWN = 20
STRIDE = 8  # input pixels for a pixel of a decoder's output
ENOUGH = 5  # objects that are enough to judge


def absent(facts: Facts) -> Iterable[Found]:
    """Classes that no split holds."""
    if not facts.complete or not facts.splits:
        return
    total = sum((facts.images(name) for name in facts.splits), np.zeros(1, np.int64))
    names = [name for number, name in enumerate(facts.names) if not total[number]]
    if names and total.any():
        yield Found(
            message=f"never present: {few(names, SHOWN)}; their scores stay empty, and no score tells whether they "
            "would be found; check values and names, or leave the classes out",
            count=len(names),
            numbers={"classes": names},
        )


def in_one_split(facts: Facts) -> Iterable[Found]:
    """Classes in val that train does not hold, and classes in train that val does not hold."""
    if not facts.complete or "train" not in facts.splits:
        return
    train = facts.images("train")
    for split in facts.splits:
        if split == "train":
            continue
        there = facts.images(split)
        for first, second, having, lacking, so in (
            (there, train, split, "train", "they are scored and never learnt"),
            (train, there, "train", split, "they are learnt and never scored"),
        ):
            names = [name for number, name in enumerate(facts.names) if first[number] and not second[number]]
            if names:
                yield Found(
                    message=f"in {having} but not in {lacking}: {few(names, SHOWN)}; {so}",
                    count=len(names),
                    numbers={"classes": names},
                    severity=Severity.WARNING if lacking == "train" else None,
                )


def small_objects(facts: Facts) -> Iterable[Found]:
    """Classes most of whose pixels are in objects with sides below the stride of a network's output."""
    sides = _sides(facts)
    small = {number: side for number, side in sides.items() if side < STRIDE}
    if small:
        listed = few((f"{facts.names[number]} {side:.1f}" for number, side in small.items()), SHOWN)
        yield Found(
            message=f"objects too small for a network whose output has a stride of {STRIDE} pixels; half of the "
            f"pixels are in objects with a side up to (pixels): {listed}. Enlarge images, or use a finer output",
            count=len(small),
            numbers={"sides": {facts.names[number]: round(side, 2) for number, side in small.items()}},
            places=_showing(facts, set(small)),
            values=list(small),
        )


def _sides(facts: Facts) -> dict[int, float]:
    """Class -> side of its typical object, where enough were measured."""
    found: dict[int, list[NDArray[np.float32]]] = {}
    for _, sample in facts.samples():
        for number, sides in (sample.sides or {}).items():
            found.setdefault(number, []).append(sides)
    joined = {number: np.concatenate(parts) for number, parts in sorted(found.items())}
    return {number: typical_side(sides) for number, sides in joined.items() if len(sides) >= ENOUGH}


def _showing(facts: Facts, numbers: set[int]) -> list[Place]:
    """Measured masks that hold one of some classes."""
    return [place for place, sample in facts.samples() if sample.sides and numbers & sample.sides.keys()]


CHECKS = (
    Check(
        id="classes.absent",
        severity=Severity.WARNING,
        summary="classes that no image holds",
        run=absent,
    ),
    Check(
        id="classes.one_split",
        severity=Severity.INFO,
        summary="classes in one split only; a warning if they are missing in train",
        run=in_one_split,
    ),
    Check(
        id="classes.small",
        severity=Severity.WARNING,
        summary="classes whose objects are smaller than the stride of a network's output, 8 pixels",
        run=small_objects,
        images=True,
    ),
)
