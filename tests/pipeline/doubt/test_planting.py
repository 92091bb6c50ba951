"""The benchmark of doubted labels: what it plants, and how it counts what was found."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from foveate.benchmarks.doubts import hit_by, rates_of
from foveate.benchmarks.planting import Fault, plant
from foveate.datasets.synthetic import write_scenes

FAULTS = [
    Fault(1, "swap", "a", "car", (10, 10, 30, 20), 200),
    Fault(2, "missing", "a", "bus", (50, 10, 70, 20), 200),
    Fault(3, "swap", "b", "car", (0, 0, 20, 20), 400),
]


def doubt(frame: str, *box: int) -> dict[str, object]:
    return {"image": f"x/{frame}_leftImg8bit.png", **dict(zip(("x0", "y0", "x1", "y1"), box, strict=True))}


def test_labels_differ_from_the_truth_where_faults_are_noted(tmp_path: Path) -> None:
    faults = plant(tmp_path / "faulty", scenes=4, size=(64, 128), each=1)
    assert sorted(fault.kind for fault in faults) == ["missing", "shift", "swap"]
    write_scenes(tmp_path / "right", train=4, val=0, height=64, width=128)
    for number, fault in enumerate(faults, start=1):
        label = f"gtFine/train/synthburg/{fault.frame}_gtFine_labelIds.png"
        maps = [cv2.imread(str(tmp_path / root / label), -1) for root in ("faulty", "right")]
        numbers = cv2.imread(str(tmp_path / "faulty/faults" / f"{fault.frame}.png"), -1)
        assert ((maps[0] != maps[1]) == (numbers > 0)).all()
        assert np.count_nonzero(numbers == number) == fault.pixels > 0
    assert plant(tmp_path / "faulty", scenes=4, size=(64, 128), each=1) == faults


@pytest.mark.parametrize(
    ("found", "number"),
    [
        (doubt("a", 10, 10, 30, 20), 1),
        (doubt("a", 52, 11, 64, 20), 2),
        (doubt("b", 12, 12, 30, 30), None),  # a fifth of it lies in the fault
        (doubt("a", 10, 10, 14, 14), None),  # a small part of the fault
        (doubt("c", 10, 10, 30, 20), None),
    ],
)
def test_a_doubt_hits_the_fault_that_it_covers(found: dict[str, object], number: int | None) -> None:
    assert hit_by(found, FAULTS) == number


def test_a_fault_that_is_hit_twice_counts_once() -> None:
    doubts = [doubt("a", 10, 10, 30, 20), doubt("a", 12, 10, 30, 20), doubt("c", 0, 0, 9, 9), doubt("b", 0, 0, 20, 20)]
    rates = rates_of(doubts, FAULTS, None)
    assert (rates.looked_at, rates.precision, rates.recall) == (3, 2 / 3, 1 / 3)
    missing = rates_of(doubts, FAULTS, "missing")
    assert (missing.looked_at, missing.precision, missing.recall) == (1, 0.0, 0.0)
