"""Values of any depth become bytes by a range."""

from __future__ import annotations

import numpy as np
import pytest

from foveate.datasets.files.value_range import Extent, count_outside, measure, to_bytes


@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint16", ">u2", "int32", "uint32", "float32", "float64"])
def test_every_type_is_mapped_alike(dtype: str) -> None:
    values = np.array([[0, 10, 60, 110, 120]]).astype(dtype)
    assert to_bytes(values, (10, 110)).tolist() == [[0, 0, 128, 255, 255]]


def test_negative_values_are_mapped_too() -> None:
    assert to_bytes(np.array([-300, -100, 0, 100], np.int16), (-100, 100)).tolist() == [0, 0, 128, 255]


def test_a_table_gives_what_arithmetic_gives() -> None:
    values = np.arange(65536, dtype=np.uint16)
    assert np.array_equal(to_bytes(values, (37, 3874)), to_bytes(values.astype(np.float64), (37, 3874)))


@pytest.mark.parametrize(("dtype", "nodata"), [("float32", -9999.0), ("int16", -9999.0), ("float32", None)])
def test_nan_and_no_data_become_0(dtype: str, nodata: float | None) -> None:
    hole = np.nan if nodata is None else nodata
    values = np.array([hole, 5, 10], dtype)
    assert to_bytes(values, (-20_000 if nodata else 0, 10), nodata)[0] == 0


def test_the_extent_leaves_out_nan_infinity_and_no_data() -> None:
    images = [(np.array([np.nan, 2, np.inf, 7]), None), (np.array([-1.0, 3, 4, 5]), -1.0)]
    assert measure(iter(images)) == Extent(2, 7, 3 / 8)


@pytest.mark.parametrize(("low", "high", "span"), [(0.2, 0.9, (0, 1)), (12, 3874, (12, 3874)), (5, 5, (5, 6))])
def test_floats_in_0_to_1_take_all_of_it(low: float, high: float, span: tuple[float, float]) -> None:
    assert Extent(low, high, 0).span == span


def test_values_outside_a_range_are_counted_without_those_of_no_data() -> None:
    assert count_outside(np.array([0, 1, 5, 9, 10]), (2, 9), nodata=0) == 2
