"""Intervals and p-values stay valid whenever one stops; power is as planned. All simulations have known truth."""

from __future__ import annotations

import math

import numpy as np
import pytest

from foveate.pipeline.comparison.anytime import ALPHA, SPREAD, Evidence, seed_width
from foveate.pipeline.comparison.deciding import Known, decide
from foveate.pipeline.comparison.planning import plan, seeds_needed

MOST = 16  # seeds


def draw(rng: np.random.Generator, effect: float, noise: float, image_noise: float, count: int = MOST) -> Evidence:
    """Differences of a block with a known effect: one draw of the images, one of each seed."""
    images = image_noise * rng.standard_normal()
    differences = effect + images + noise * rng.standard_normal(count)
    return Evidence(tuple(differences.tolist()), image_noise)


def stops_at(evidence: Evidence, alpha: float = ALPHA) -> int | None:
    """The first number of seeds after which the interval excludes 0."""
    counts = range(2, len(evidence.differences) + 1)
    return next((n for n in counts if abs(evidence.up_to(n).mean) > evidence.up_to(n).width(alpha)), None)


def mixture(differences: np.ndarray, mean: float) -> float:
    """The e-value as in the paper, for the test of a mean."""
    values, n = differences - mean, len(differences)
    total, squares = values.sum(), (values**2).sum()
    scale = n + SPREAD
    return float(math.sqrt(SPREAD / scale) * (scale * squares / (scale * squares - total**2)) ** (n / 2))


@pytest.mark.parametrize("count", [3, 4, 9, 30])
def test_the_width_is_where_the_e_value_reaches_its_limit(count: int) -> None:
    differences = np.random.default_rng(count).standard_normal(count) + 0.5
    width = seed_width(count, float(differences.var()), 0.05)
    for end in (differences.mean() - width, differences.mean() + width):
        assert mixture(differences, end) == pytest.approx(20, rel=1e-9)


def test_two_seeds_and_a_strict_level_have_no_bounded_interval() -> None:
    assert seed_width(1, 1.0, 0.05) == seed_width(2, 1.0, 0.05) == math.inf
    assert Evidence((), 0.0).p_of_none() == 1.0
    assert Evidence((0.1,), 0.0).interval() == (-math.inf, math.inf)


@pytest.mark.slow
@pytest.mark.parametrize(("noise", "image_noise"), [(1.0, 0.0), (1.0, 0.5), (0.1, 1.0)])
def test_equal_blocks_differ_in_fewer_than_5_percent_of_2000_runs_whenever_one_stops(
    noise: float, image_noise: float
) -> None:
    rng = np.random.default_rng(1)
    alarms = sum(stops_at(draw(rng, 0.0, noise, image_noise)) is not None for _ in range(2000))
    assert alarms < 0.05 * 2000


@pytest.mark.slow
def test_a_t_test_looked_at_after_each_seed_is_wrong_far_more_often() -> None:
    """The simulation can fail: what people usually do fails it."""
    rng = np.random.default_rng(1)
    wrong = 0
    for _ in range(2000):
        values = rng.standard_normal(MOST)
        counts = np.arange(3, MOST + 1)
        t = [abs(values[:n].mean()) / (values[:n].std(ddof=1) / math.sqrt(n)) for n in counts]
        limits = [4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131]
        wrong += any(one > limit for one, limit in zip(t, limits, strict=True))
    assert wrong > 0.15 * 2000


@pytest.mark.slow
def test_several_equal_blocks_are_all_left_unnamed_in_95_percent_of_runs() -> None:
    rng = np.random.default_rng(2)
    wrong = 0
    for _ in range(300):
        evidence = {str(place): draw(rng, 0.0, 1.0, 0.3) for place in range(4)}
        wrong += any(verdict.known in (Known.BETTER, Known.WORSE) for verdict in decide(evidence, 0.01).values())
    assert wrong < 0.05 * 300


@pytest.mark.slow
def test_hardly_any_comparison_says_something_wrong_of_blocks_at_either_limit() -> None:
    rng = np.random.default_rng(7)
    detect, wrong = 0.5, 0
    for _ in range(300):
        effects = {"a": 0.0, "b": 0.0, "c": detect, "d": -detect}
        verdicts = decide({name: draw(rng, effect, 0.6, 0.05) for name, effect in effects.items()}, detect)
        said = [verdicts[name].known for name in "ab"], [verdicts[name].known for name in "cd"]
        wrong += any(known in (Known.BETTER, Known.WORSE) for known in said[0]) or Known.SAME in said[1]
    assert wrong < 0.05 * 300


@pytest.mark.slow
def test_intervals_after_all_numbers_of_seeds_hold_the_effect() -> None:
    rng = np.random.default_rng(3)
    held = 0
    for _ in range(1000):
        low, high = draw(rng, 0.7, 1.0, 0.4).interval()
        held += low <= 0.7 <= high
    assert held > 950


@pytest.mark.parametrize(("noise", "image_noise"), [(1.0, 0.0), (1.0, 0.3), (0.5, 0.4)])
def test_the_planned_number_of_seeds_finds_the_effect_as_often_as_promised(noise: float, image_noise: float) -> None:
    effect = 2.0
    count = seeds_needed(noise, image_noise, effect)
    assert count is not None
    rng = np.random.default_rng(4)
    found = [stops_at(draw(rng, effect, noise, image_noise, count)) for _ in range(1000)]
    assert sum(one is not None for one in found) > 780


def test_a_difference_that_is_too_small_to_matter_is_called_so() -> None:
    rng = np.random.default_rng(5)
    evidence = Evidence(tuple((0.0001 + 0.0005 * rng.standard_normal(12)).tolist()), 0.0003)
    [verdict] = decide({"se": evidence}, 0.005).values()
    assert verdict.known is Known.SAME
    [verdict] = decide({"se": evidence}, 0.0001).values()
    assert verdict.known is Known.OPEN


@pytest.mark.slow
def test_a_difference_as_large_as_the_margin_is_rarely_called_none() -> None:
    rng = np.random.default_rng(6)
    wrong = 0
    for _ in range(500):
        evidence = draw(rng, 1.0, 0.3, 0.1)
        wrong += any(evidence.up_to(n).p_of_as_much(1.0) < ALPHA for n in (4, 8, MOST))
    assert wrong < 0.05 * 500


def test_images_that_are_too_few_are_told() -> None:
    noisy_images = [Evidence((0.004, 0.006, 0.005), 0.02)]
    needed = plan(noisy_images, 0.005)
    assert needed.images > 50
    assert needed.seeds is not None  # with as many images
    enough = plan([Evidence((0.004, 0.006, 0.005), 0.0002)], 0.005)
    assert enough.images == 1
    assert enough.seeds is not None
    assert enough.at_most is not None
    assert enough.at_most > enough.seeds
