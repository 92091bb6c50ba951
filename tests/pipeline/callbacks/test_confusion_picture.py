"""The picture of a confusion matrix, and the classes that are confused most."""

from __future__ import annotations

import numpy as np
import pytest

from foveate.pipeline.callbacks.confusion_picture import SHADES, draw_confusion, most_confused, row_shares

COUNTS = np.array([[6, 2, 0], [0, 0, 0], [1, 3, 4]])


def test_each_row_sums_to_one_and_an_absent_class_is_undefined() -> None:
    shares = row_shares(COUNTS)
    assert shares[0].tolist() == [0.75, 0.25, 0]
    assert np.isnan(shares[1]).all()


def test_the_most_confused_come_first_and_right_ones_are_left_out() -> None:
    found = most_confused(COUNTS, ["a", "b", "c"], 2)
    assert found == [("c", "b", 0.375, 3), ("a", "b", 0.25, 2)]


@pytest.mark.parametrize("count", [1, 3, 150])
def test_the_picture_stays_small_and_a_perfect_result_is_a_dark_diagonal(count: int) -> None:
    picture = draw_confusion(np.eye(count, dtype=int) * 5, [f"class {n}" for n in range(count)], "title")
    assert max(picture.size) < 1000
    dark = (np.asarray(picture) == SHADES[-1]).all(axis=-1).sum()
    assert dark >= count * 4 * 4 - 4 * count
