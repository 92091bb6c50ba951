"""95 % intervals: how often they hold a known truth, and what another implementation says."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest
from scipy.stats import binomtest, bootstrap, norm, t

from foveate.pipeline.per_image.figures import intervals_of, pixel_score
from foveate.pipeline.per_image.record import LabelRecord
from foveate.pipeline.resampling.counts import DenseCounts, count_dense, count_sparse
from foveate.pipeline.resampling.draws import times_drawn
from foveate.pipeline.resampling.intervals import (
    bootstrap_intervals,
    degrees_of_freedom,
    tail,
    wilson_intervals,
)
from foveate.tests.pipeline.resampling.drawn_images import COMMON, RARE, draw_images, truth_of

MEAN = DenseCounts(np.stack([np.random.default_rng(0).gamma(2, 1, 60), np.ones(60)], axis=1))
SEED = "rng" if "rng" in inspect.signature(bootstrap).parameters else "random_state"  # before SciPy 1.15
FIXED: dict[str, Any] = {SEED: 1}


def ratio(sums: np.ndarray) -> np.ndarray:
    return sums[..., :1] / sums[..., 1:]


def coverage(occurs: tuple[float, ...], count: int, draws: int, resamples: int) -> np.ndarray:
    """How often the intervals of mIoU and of each class hold the truth, where there is one."""
    truth, random, score = truth_of(occurs), np.random.default_rng(11), pixel_score((5,))
    held, there = np.zeros(6), np.zeros(6)
    for _ in range(draws):
        counts = draw_images(random, count, occurs)[0]
        found = bootstrap_intervals(DenseCounts(counts), score, draws=resamples)[[0, 3, 4, 5, 6, 7]]
        seen = counts.sum(0)[5:10] > 0
        wanted = np.array([truth[seen].mean(), *truth])
        held += (found[:, 0] <= wanted) & (wanted <= found[:, 1])
        there += ~np.isnan(found[:, 0])
    return held / np.maximum(there, 1)


def test_the_interval_of_miou_holds_the_truth_about_as_often_as_it_says() -> None:
    assert 0.92 <= coverage(COMMON, 50, draws=250, resamples=400)[0] <= 0.98


@pytest.mark.slow
@pytest.mark.parametrize("occurs", [COMMON, RARE], ids=["common", "rare"])
@pytest.mark.parametrize("count", [20, 50, 200])
def test_of_1000_draws_93_to_97_percent_hold_the_truth(occurs: tuple[float, ...], count: int) -> None:
    held = coverage(occurs, count, draws=1000, resamples=2000)
    assert 0.93 <= held[0] <= 0.97
    assert held[1:4].min() >= (0.90 if count == 20 else 0.925)  # classes that are in most images
    assert held[4:].min() >= 0.86  # the rarest is in 2 to 16 of the images, see docs/evaluation.md


@pytest.mark.slow
@pytest.mark.parametrize("share", [0.7, 0.8, 0.9])
@pytest.mark.parametrize("count", [50, 200, 1000])
def test_of_1000_draws_the_interval_of_an_accuracy_holds_the_truth_too(share: float, count: int) -> None:
    random, held = np.random.default_rng(5), 0
    for _ in range(1000):
        low, high = accuracy_interval(random.random(count) < share)
        held += low <= share <= high
    assert 930 <= held <= 975  # how often depends on where whole numbers of images fall


def accuracy_interval(right: np.ndarray, groups: tuple[str, ...] = ()) -> list[float]:
    label = np.zeros(len(right), dtype=np.int32)
    wrong = (~right).astype(np.int32)
    numbers = np.zeros(len(right), dtype=np.float32)
    images = [str(place) for place in range(len(right))]
    record = LabelRecord(images, groups, ("a", "b"), label, wrong, wrong + 1, numbers, numbers)
    pair: list[float] = intervals_of(record, draws=20)["acc_interval"]
    return pair


def test_for_many_alike_images_it_is_the_percentile_interval_of_scipy() -> None:
    values = np.random.default_rng(3).normal(5, 1, 3000)
    counts = DenseCounts(np.stack([values, np.ones(3000)], axis=1))
    ((low, high),) = bootstrap_intervals(counts, ratio, draws=4000)
    theirs = bootstrap((values,), np.mean, n_resamples=4000, method="percentile", **FIXED).confidence_interval
    width = theirs.high - theirs.low
    assert low == pytest.approx(theirs.low, abs=0.06 * width)
    assert high == pytest.approx(theirs.high, abs=0.06 * width)


def test_a_wider_share_of_draws_makes_the_same_interval_in_scipy() -> None:
    influence = MEAN.rows[:, 0] - MEAN.rows[:, 0].mean()
    level = 1 - 2 * tail(degrees_of_freedom(influence))
    ((low, high),) = bootstrap_intervals(MEAN, ratio, draws=20_000)
    theirs = bootstrap(
        (MEAN.rows[:, 0],), np.mean, n_resamples=20_000, method="percentile", confidence_level=level, **FIXED
    )
    assert level > 0.95
    assert [low, high] == pytest.approx([*theirs.confidence_interval], abs=0.02)


def test_the_share_outside_is_that_of_student() -> None:
    wanted = norm.cdf(-np.sqrt(10 / 9) * t.ppf(0.975, 9))
    assert tail(9) == pytest.approx(wanted)
    assert tail(1e9) == pytest.approx(0.025, abs=1e-6)


def test_units_that_weigh_more_leave_fewer_degrees_of_freedom() -> None:
    even, odd = np.tile([1.0, -1.0], 50), np.array([50.0] + [-0.5] * 99)
    assert degrees_of_freedom(even) == 99
    assert degrees_of_freedom(odd) < 3


def test_wilsons_interval_is_that_of_scipy() -> None:
    right, trials = np.array([37.0, 50.0]), np.array([50.0, 50.0])
    ours = wilson_intervals(right, trials, np.zeros(2), np.array([10**9] * 2))
    theirs = [binomtest(int(one), 50).proportion_ci(method="wilson") for one in right]
    assert ours.ravel() == pytest.approx([end for ci in theirs for end in (ci.low, ci.high)])


def test_where_every_image_is_right_the_interval_still_has_a_width() -> None:
    low, high = accuracy_interval(np.ones(30, dtype=bool))
    assert 0.8 < low < 0.95
    assert high == 1


def test_images_of_a_group_that_are_alike_count_once() -> None:
    right = np.repeat(np.random.default_rng(2).random(20) < 0.6, 10)
    groups = tuple(f"video{place // 10}" for place in range(200))
    free, grouped = accuracy_interval(right), accuracy_interval(right, groups)
    assert grouped[1] - grouped[0] > 2.5 * (free[1] - free[0])
    alone = accuracy_interval(right[::10])
    assert grouped == pytest.approx(alone, abs=0.01)


@pytest.mark.parametrize("count", [1, 4])
def test_too_few_images_have_no_interval_and_a_reason(count: int) -> None:
    numbers = np.zeros(count, dtype=np.int32)
    floats = np.zeros(count, dtype=np.float32)
    record = LabelRecord([str(n) for n in range(count)], (), ("a",), numbers, numbers, numbers + 1, floats, floats)
    found = intervals_of(record)
    assert found.keys() == {"interval"}
    assert f"{count} image" in found["interval"]["missing"]


def test_a_figure_that_rests_on_a_single_image_has_no_interval() -> None:
    counts = np.tile([5.0, 10, 10], (9, 1))[:, [0, 0, 1, 1, 2, 2]].copy()
    counts[:, 0] += np.arange(9)
    counts[1:, 1::2] = 0  # the second class is in the first image only
    found = bootstrap_intervals(DenseCounts(counts), pixel_score((2,)), draws=100)
    assert np.isnan(found).all(1).tolist() == [False, False, False, False, True]


def test_intervals_are_the_same_each_time_and_other_for_another_seed() -> None:
    one, two, three = (bootstrap_intervals(MEAN, ratio, seed=seed) for seed in (1, 1, 2))
    assert np.array_equal(one, two)
    assert not np.array_equal(one, three)


def test_each_draw_has_as_many_units_as_there_are() -> None:
    times = np.concatenate(list(times_drawn(7, draws=50)))
    assert times.shape == (50, 7)
    assert (times.sum(1) == 7).all()
    assert times.std() > 0.5


def test_sparse_counts_are_those_of_the_matrix() -> None:
    random = np.random.default_rng(4)
    columns, values = random.integers(0, 6, (40, 2)), random.random((40, 2))
    groups = [f"g{number}" for number in random.permutation(np.arange(40) % 9)]
    matrix = np.zeros((40, 6))
    np.add.at(matrix, (np.repeat(np.arange(40), 2), columns.ravel()), values.ravel())
    weights = random.random((3, 9))
    dense, sparse = count_dense(matrix, groups), count_sparse(columns, values, 6, groups)
    assert len(dense) == len(sparse) == 9
    assert sparse.total() == pytest.approx(dense.total())
    assert sparse.weighted(weights) == pytest.approx(dense.weighted(weights))
    assert np.concatenate([*sparse.without_each()]) == pytest.approx(np.concatenate([*dense.without_each()]))
