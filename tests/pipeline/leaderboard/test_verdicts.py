"""What is said of a leaderboard's blocks: against other implementations, and simulated with a known truth."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import ttest_rel

from foveate.pipeline.comparison.anytime import ALPHA
from foveate.pipeline.comparison.deciding import Known
from foveate.pipeline.leaderboard.verdicts import Scores, Verdict, judge, noise_of

SEEDS, IMAGES = 3, 1000
SAID = (Known.BETTER, Known.WORSE)


def as_scores(values: np.ndarray) -> Scores:
    """Of an array (blocks, seeds); the first block is `none`."""
    names = ["none", *(f"block{number}" for number in range(1, len(values)))]
    return {name: dict(enumerate(map(float, row))) for name, row in zip(names, values, strict=True)}


def judged(values: np.ndarray, image_error: float = 0.0, seeds: int = SEEDS) -> dict[str, Verdict]:
    scores = as_scores(values)
    errors = dict.fromkeys(list(scores)[1:], image_error)
    return judge(scores, "none", errors, images=IMAGES, seeds=seeds, detect=0.01)


def simulate(
    rng: np.random.Generator, effects: np.ndarray, seed_noise: float | np.ndarray, image_noise: float
) -> dict[str, Verdict]:
    """A table with known effects. Seeds lift all blocks alike; each block meets its own images' luck."""
    blocks = len(effects)
    alike = 0.02 * rng.standard_normal(SEEDS)
    noise = np.broadcast_to(seed_noise, (blocks,))[:, None] * rng.standard_normal((blocks, SEEDS))
    luck = image_noise * rng.standard_normal((blocks, 1))
    return judged(0.3 + effects[:, None] + alike + noise + luck, image_noise * math.sqrt(2))


def test_the_noise_is_that_of_the_analysis_of_variance() -> None:
    values = np.random.default_rng(0).standard_normal((5, 4))
    rest = values - values.mean(1, keepdims=True) - values.mean(0) + values.mean()
    found = noise_of(as_scores(values))
    assert found.freedom == 4 * 3
    assert found.variance == pytest.approx((rest**2).sum() / 12)


def test_a_missing_record_costs_one_degree_of_freedom_and_nothing_else() -> None:
    blocks, seeds = np.array([0.1, 0.4, 0.2, 0.9]), np.array([0.0, 0.3, 0.1])
    scores = {name: dict(row) for name, row in as_scores(blocks[:, None] + seeds).items()}
    del scores["block2"][1]
    found = noise_of(scores)
    assert found.freedom == 3 * 2 - 1
    assert found.variance == pytest.approx(0, abs=1e-20)


def test_of_one_block_it_is_the_paired_t_test() -> None:
    values = np.random.default_rng(1).standard_normal((2, SEEDS))
    (verdict,) = judged(values).values()
    theirs = ttest_rel(values[1], values[0])
    assert verdict.p == pytest.approx(theirs.pvalue)
    assert verdict.interval == pytest.approx(tuple(theirs.confidence_interval(0.95)))


def test_equal_blocks_are_called_different_in_fewer_than_5_percent_of_2000_tables() -> None:
    rng = np.random.default_rng(2)
    alarms = sum(
        any(one.known in SAID for one in simulate(rng, np.zeros(20), 0.017, 0.01).values()) for _ in range(2000)
    )
    assert alarms < 0.05 * 2000


def test_a_test_of_each_block_by_itself_would_be_wrong_far_more_often() -> None:
    """The simulation can fail: without the correction for the number of blocks it does."""
    rng = np.random.default_rng(2)
    wrong = 0
    for _ in range(300):
        found = simulate(rng, np.zeros(20), 0.017, 0.01).values()
        wrong += min(one.p for one in found) / 19 < ALPHA  # the least is multiplied by the number of blocks
    assert wrong > 0.3 * 300


def test_the_intervals_of_all_blocks_hold_together() -> None:
    rng, effects = np.random.default_rng(8), np.linspace(0, 0.1, 20)
    held = 0
    for _ in range(500):
        found = simulate(rng, effects, 0.017, 0.01)
        held += all(
            low <= effect <= high
            for effect, (low, high) in zip(effects[1:], (one.interval for one in found.values()), strict=True)
        )
    assert 0.95 * 500 < held < 500


def test_what_differs_by_eight_points_is_found_and_the_others_stay_open() -> None:
    rng, effects = np.random.default_rng(3), np.zeros(20)
    effects[4], effects[7] = 0.08, -0.2
    found = [simulate(rng, effects, 0.017, 0.01) for _ in range(200)]
    assert np.mean([one["block4"].known is Known.BETTER for one in found]) > 0.8
    assert all(one["block7"].known is Known.WORSE for one in found)
    assert np.mean([any(one[f"block{other}"].known in SAID for other in (1, 2, 3)) for one in found]) < 0.05


def test_a_difference_that_matters_is_not_denied() -> None:
    rng, effects = np.random.default_rng(4), np.concatenate([[0], np.full(19, 0.01)])
    denied = sum(
        any(one.known is Known.SAME for one in simulate(rng, effects, 0.001, 0.001).values()) for _ in range(500)
    )
    assert denied < 0.05 * 500


def test_what_is_equal_with_little_noise_is_called_so() -> None:
    found = simulate(np.random.default_rng(5), np.zeros(20), 0.0005, 0.0005)
    assert {one.known for one in found.values()} == {Known.SAME}


def test_nothing_is_said_before_all_seeds_are_there() -> None:
    values = np.random.default_rng(6).normal(0.3, 0.001, (6, SEEDS))
    values[3] += 0.2
    scores = {name: dict(row) for name, row in as_scores(values).items()}
    errors = dict.fromkeys(list(scores)[1:], 0.0)
    assert judge(scores, "none", errors, images=IMAGES, seeds=SEEDS, detect=0.01)["block3"].known is Known.BETTER
    del scores["block3"][2]
    early = judge(scores, "none", errors, images=IMAGES, seeds=SEEDS, detect=0.01)
    assert early["block3"].known is Known.OPEN
    assert early["block3"].interval == (-math.inf, math.inf)
    del scores["none"][1]
    assert {one.known for one in judge(scores, "none", errors, images=IMAGES, seeds=SEEDS, detect=0.01).values()} == {
        Known.OPEN
    }


def test_one_seed_tells_nothing() -> None:
    verdicts = judged(np.array([[0.1], [0.9]]), seeds=1)
    assert verdicts["block1"].known is Known.OPEN
