"""Class weights from counts against the papers' formulas by hand, and methods in the loss of a recipe."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch

from foveate.pipeline.errors import ConfigError, UnusableDataError
from foveate.pipeline.losses import create_loss
from foveate.pipeline.losses.class_weights import (
    class_weights_from_counts,
    methods_in,
    weights_in,
    with_numbers,
    with_stored,
)
from foveate.plugins.errors import PluginConfigError

AUTO: dict[str, Any] = {"name": "ohem", "class_weights": "auto"}
MASKS = [np.array([[0, 0, 0, 1]]), np.array([[0, 0, 2, 255]]), np.array([[0, 1, 1, 255]])]


def counts() -> tuple[list[int], list[int]]:
    """Pixels of each of four classes, and of the images that hold it; the last class is absent."""
    pixels = [sum(int((mask == c).sum()) for mask in MASKS) for c in range(4)]
    around = [sum(int((mask != 255).sum()) for mask in MASKS if (mask == c).any()) for c in range(4)]
    return pixels, around


def test_median_frequency_is_the_papers() -> None:
    frequencies = [6 / 10, 3 / 7, 1 / 3]
    wanted = [(3 / 7) / one for one in frequencies]
    for name in ("auto", "median_frequency"):
        assert class_weights_from_counts(name, *counts()) == pytest.approx([*wanted, 1])


def test_enet_is_the_papers() -> None:
    wanted = [1 / math.log(1.02 + share) for share in (0.6, 0.3, 0.1)]
    assert class_weights_from_counts("enet", *counts()) == pytest.approx([*wanted, 1])


def test_inverse_square_roots_have_a_mean_of_one_over_the_classes_that_occur() -> None:
    weights = class_weights_from_counts("inverse_sqrt", *counts())
    assert np.mean(weights[:3]) == pytest.approx(1)
    assert [w / weights[0] for w in weights[:3]] == pytest.approx([1, math.sqrt(2), math.sqrt(6)])
    assert weights[3] == 1


@pytest.mark.parametrize("method", ["auto", "enet", "inverse_sqrt"])
def test_a_rarer_class_weighs_more_also_in_large_counts(method: str) -> None:
    many = np.array([6 * 10**12, 10**9, 5], dtype=np.int64)
    weights = class_weights_from_counts(method, many, np.full(3, many.sum()))
    assert weights == sorted(weights)
    assert all(0 < weight < math.inf for weight in weights)


def test_no_pixel_at_all_is_refused() -> None:
    with pytest.raises(UnusableDataError, match="no pixel of the train split is labelled"):
        class_weights_from_counts("auto", [0, 0], [0, 0])


def test_an_unknown_method_is_answered_with_the_close_one() -> None:
    with pytest.raises(ConfigError, match=r"no method 'median_freq'; did you mean 'median_frequency'\? \(accepted: au"):
        create_loss({"name": "focal", "class_weights": "median_freq"}, 4)


def test_methods_are_found_and_replaced_wherever_they_are() -> None:
    spec = ["dice", AUTO, {"name": "focal", "class_weights": "enet", "weight": 2.0}, {**AUTO, "fraction": 0.5}]
    assert methods_in(spec) == ["median_frequency", "enet"]
    done = with_numbers(spec, {"median_frequency": [1, 2], "enet": [3, 4]})
    assert done[1:3] == [{**AUTO, "class_weights": [1, 2]}, {**spec[2], "class_weights": [3, 4]}]  # type: ignore[dict-item]
    assert methods_in(done) == []
    assert weights_in(done) == [[1, 2], [3, 4]]
    assert spec[1] == AUTO


@pytest.mark.parametrize("spec", ["dice", {"name": "dice", "class_weights": [1, 2]}, ["dice", "focal"]], ids=str)
def test_a_loss_without_a_method_stays(spec: Any) -> None:
    assert methods_in(spec) == []
    assert with_numbers(spec, {}) == spec
    assert with_stored(spec, AUTO) == spec


@pytest.mark.parametrize(
    ("stored", "taken"),
    [
        ({"name": "ohem", "class_weights": [1, 2]}, [1, 2]),
        ([{"name": "ohem", "class_weights": [1, 2]}, "dice"], [1, 2]),
        ({"name": "focal", "class_weights": [1, 2]}, "auto"),
        ("ohem", "auto"),
        (AUTO, "auto"),
        (None, "auto"),
        ([], "auto"),
    ],
    ids=str,
)
def test_stored_numbers_replace_a_method_of_the_same_loss_only(stored: Any, taken: Any) -> None:
    assert with_stored(AUTO, stored) == {**AUTO, "class_weights": taken}


def test_until_numbers_are_there_every_class_counts_the_same() -> None:
    logits, mask = torch.randn(1, 3, 4, 4), torch.randint(0, 3, (1, 4, 4))
    waiting = create_loss({"name": "cross_entropy", "class_weights": "auto"}, 3)
    torch.testing.assert_close(waiting(logits, mask), create_loss("cross_entropy", 3)(logits, mask))


def test_a_list_of_another_length_keeps_its_error() -> None:
    with pytest.raises(PluginConfigError, match="holds 2 weights for 3 classes"):
        create_loss({"name": "ohem", "class_weights": [1, 2]}, 3)
