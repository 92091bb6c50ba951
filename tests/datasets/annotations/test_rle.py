"""Run lengths of COCO, packed or not, and of Label Studio's brush."""

from __future__ import annotations

import numpy as np
import pytest

from foveate.datasets.annotations.brush_rle import decode_brush
from foveate.datasets.annotations.rle import check_counts, expand, unpack_counts
from foveate.datasets.errors import DataError

MASK = np.zeros((5, 7), dtype=bool)
MASK[1:4, 2:6] = True


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.99, 1.0])
def test_masks_that_coco_s_tools_packed_are_unpacked(share: float) -> None:
    mask = pytest.importorskip("pycocotools.mask", reason="COCO's tools are not installed (make dev)")
    rng = np.random.default_rng(0)
    for _ in range(20):
        pixels = rng.random(rng.integers(1, 200, 2)) < share
        packed = mask.encode(np.asfortranarray(pixels.astype(np.uint8)))["counts"].decode()
        counts = check_counts(unpack_counts(packed, "x"), pixels.size, "x")
        assert np.array_equal(expand(counts, *pixels.shape, by_column=True), pixels)


def test_differences_with_a_sign_are_unpacked() -> None:
    assert unpack_counts("86326N7", "x").tolist() == [8, 6, 3, 8, 9, 6, 16]


@pytest.mark.parametrize("text", ["8x", "8\x01", "86é", "oooooooooooooooo1", "o"])
def test_damaged_text_is_refused(text: str) -> None:
    with pytest.raises(DataError, match=r"a\.json: damaged run lengths"):
        unpack_counts(text, "a.json")


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ([3, 3], "cover 6 pixels, but there are 4"),
        ([-1, 5], "a list of whole numbers"),
        ([1.5, 2.5], "a list of whole numbers"),
        (["a"], "a list of whole numbers"),
        ([[1], [3]], "a list of whole numbers"),
        ([[1], [3, 4]], "a list of whole numbers"),
        (None, "a list of whole numbers"),
        ([1 << 62, 1 << 62], "a list of whole numbers"),
    ],
)
def test_lengths_that_cannot_be_are_refused(counts: object, message: str) -> None:
    with pytest.raises(DataError, match=message):
        check_counts(counts, 4, "x")


def bits_of(alpha: list[int], *, repeats: bool) -> list[int]:
    """A brush of values of 8 bits, in one run."""
    text = f"{len(alpha):032b}{7:05b}{2:04b}{3:04b}{7:04b}{15:04b}"
    text += f"1 11 {len(alpha) - 1:016b}{alpha[0]:08b}" if repeats else f"0 10 {len(alpha) - 1:08b}"
    text += "" if repeats else "".join(f"{value:08b}" for value in alpha)
    text = text.replace(" ", "")
    text += "0" * (-len(text) % 8)
    return [int(text[start : start + 8], 2) for start in range(0, len(text), 8)]


def test_a_brush_of_single_values_and_one_of_repeated_ones() -> None:
    pixels = [0, 255, 255, 0, 9, 0]
    alpha = [part for value in pixels for part in (7, 7, 7, value)]
    assert decode_brush(bits_of(alpha, repeats=False), 2, 3, "x").tolist() == [
        [False, True, True],
        [False, True, False],
    ]
    assert decode_brush(bits_of([255] * 24, repeats=True), 2, 3, "x").all()


@pytest.mark.parametrize("values", [[], [1, 2, 3], [0, 0, 0, 24, 57, 28], [300]])
def test_a_damaged_brush_is_refused(values: list[int]) -> None:
    with pytest.raises(DataError, match=r"t\.json: damaged run lengths of a brush"):
        decode_brush(values, 2, 3, "t.json")


def test_a_brush_of_another_size_is_refused() -> None:
    with pytest.raises(DataError, match="they hold 24 values of 8 bits; 16 of 8 are expected"):
        decode_brush(bits_of([255] * 24, repeats=True), 2, 2, "x")
