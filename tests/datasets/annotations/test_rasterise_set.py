"""The masks of a set: written once, continued after an interruption, and drawn again when something changed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from foveate.datasets.annotations.model import AnnotatedImage, AnnotationSet, Region
from foveate.datasets.annotations.rasterise import Values, rasterise_set
from foveate.datasets.annotations.shapes import rectangle
from foveate.datasets.masks.stored import read_numbers

VALUES = Values(classes={"car": 1}, background=0, colours={0: (0, 0, 0), 1: (9, 8, 7)})


def images(count: int, right: float = 6) -> AnnotationSet:
    regions = [Region(label="car", rings=(rectangle(2, 2, right, 6),))]
    listed = [
        AnnotatedImage(image=Path(f"{n}.jpg"), name=f"a/{n}.jpg", height=8, width=9, regions=regions, split="val")
        for n in range(count)
    ]
    return AnnotationSet(format="coco", classes=("car",), images=listed)


def test_masks_have_indices_a_palette_and_counts(tmp_path: Path) -> None:
    drawn = rasterise_set(images(3), tmp_path, VALUES)
    assert [one.mask for one in drawn] == [tmp_path / "val" / "a" / f"{n}.png" for n in range(3)]
    assert drawn[0].counts == {0: 72 - 16, 1: 16}
    assert read_numbers(drawn[0].mask).sum() == 16
    with Image.open(drawn[0].mask) as image:
        assert image.mode == "P"
        assert image.convert("RGB").getpixel((3, 3)) == (9, 8, 7)


def test_what_is_drawn_already_is_passed_over(tmp_path: Path) -> None:
    first = rasterise_set(images(3), tmp_path, VALUES)
    times = [one.mask.stat().st_mtime_ns for one in first]
    first[1].mask.unlink()
    first[2].mask.write_bytes(first[2].mask.read_bytes()[:60])
    second = rasterise_set(images(3), tmp_path, VALUES)
    assert [(one.mask, one.counts) for one in second] == [(one.mask, one.counts) for one in first]
    assert second[0].mask.stat().st_mtime_ns == times[0]
    assert all(read_numbers(one.mask).sum() == 16 for one in second)


@pytest.mark.parametrize(
    "values",
    [replace(VALUES, background=255), replace(VALUES, classes={"car": 2}), replace(VALUES, colours={1: (1, 1, 1)})],
)
def test_other_values_are_drawn_again(tmp_path: Path, values: Values) -> None:
    (before,) = rasterise_set(images(1), tmp_path, VALUES)
    old = before.mask.read_bytes()
    (after,) = rasterise_set(images(1), tmp_path, values)
    assert after.mask.read_bytes() != old


def test_other_regions_are_drawn_again(tmp_path: Path) -> None:
    rasterise_set(images(1), tmp_path, VALUES)
    (after,) = rasterise_set(images(1, right=7), tmp_path, VALUES)
    assert after.counts[1] == 20


def test_large_values_are_written_with_16_bits(tmp_path: Path) -> None:
    (drawn,) = rasterise_set(images(1), tmp_path, replace(VALUES, classes={"car": 300}, ignore=65535))
    assert np.unique(read_numbers(drawn.mask)).tolist() == [0, 300]


def test_progress_is_told(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    rasterise_set(images(3), tmp_path, VALUES, progress=lambda done, total: told.append((done, total)))
    assert told == [(1, 3), (2, 3), (3, 3)]
