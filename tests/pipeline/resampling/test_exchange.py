"""Tests of a difference: false alarms are as rare as promised, planted differences are found."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from foveate.pipeline.per_image.figures import pixel_score
from foveate.pipeline.per_image.record import PixelRecord
from foveate.pipeline.resampling.counts import DenseCounts
from foveate.pipeline.resampling.exchange import exchange_test, holm, holm_of_pairs
from foveate.pipeline.run_comparison.effects import Effect, compare_records
from foveate.tests.pipeline.resampling.drawn_images import COMMON, RARE, draw_images


def record(counts: np.ndarray) -> PixelRecord:
    nothing = np.zeros(len(counts), dtype=np.float32)
    images = [str(place) for place in range(len(counts))]
    return PixelRecord(images, (), tuple("abcde"), {}, counts.astype(np.uint32), nothing, nothing)


def found(count: int, occurs: tuple[float, ...], gain: float, draws: int) -> tuple[float, float]:
    """How often two models are told apart, by mIoU and by any class."""
    random, by_miou, by_class = np.random.default_rng(3), 0, 0
    for seed in range(draws):
        ours, theirs = draw_images(random, count, occurs, (0.0, gain))
        (pair,) = compare_records({"a": record(ours), "b": record(theirs)}, draws=400, exchanges=999, seed=seed)
        by_miou += pair.overall["miou"].differs
        by_class += any(effect.differs for effect in pair.classes.values())
    return by_miou / draws, by_class / draws


def test_equal_models_are_rarely_told_apart() -> None:
    assert max(found(30, COMMON, 0.0, draws=150)) <= 0.09  # 5 % and what chance adds


@pytest.mark.slow
@pytest.mark.parametrize("occurs", [COMMON, RARE], ids=["common", "rare"])
@pytest.mark.parametrize("count", [20, 50, 200])
def test_of_1000_pairs_of_equal_models_at_most_5_percent_are_told_apart(occurs: tuple[float, ...], count: int) -> None:
    assert max(found(count, occurs, 0.0, draws=1000)) <= 0.05


def test_a_planted_difference_is_found() -> None:
    assert found(100, COMMON, 0.5, draws=20)[0] >= 0.9


def test_what_few_images_say_is_not_taken_for_a_difference() -> None:
    effect = Effect(0.5, 0.6, None, 0.001, corrected=0.001)
    assert not effect.differs
    assert not replace(effect, interval=(-0.01, 0.2)).differs
    assert replace(effect, interval=(0.01, 0.2)).differs


def test_few_images_give_the_p_value_of_all_exchanges() -> None:
    random = np.random.default_rng(8)
    ours, theirs = draw_images(random, 6, COMMON, (0.0, 0.8))
    score = pixel_score((5,))
    observed = np.abs(score(theirs.sum(0)) - score(ours.sum(0)))[0]
    every = []
    for swap in product([False, True], repeat=6):
        chosen = np.array(swap)[:, None]
        first, second = np.where(chosen, theirs, ours).sum(0), np.where(chosen, ours, theirs).sum(0)
        every.append(np.abs(score(second) - score(first))[0] >= observed - 1e-12)
    values = exchange_test(DenseCounts(np.concatenate([ours, theirs], axis=1)), score, draws=20_000)
    assert values[0] == pytest.approx(np.mean(every), abs=0.02)


def test_the_same_run_twice_differs_in_nothing() -> None:
    (ours,) = draw_images(np.random.default_rng(0), 12)
    (pair,) = compare_records({"a": record(ours), "b": record(ours)}, draws=50, exchanges=99)
    assert {effect.p for effect in pair.overall.values()} == {1.0}
    assert not any(effect.differs for effect in pair.classes.values())


def test_holm_corrects_as_by_hand() -> None:
    assert holm([0.04, 0.01, 0.03]) == pytest.approx([0.06, 0.03, 0.06])
    assert holm([0.5, 0.9]) == [1.0, 1.0]


def test_pairs_that_exclude_each_other_are_corrected_as_by_hand() -> None:
    assert holm_of_pairs([0.004, 0.3, 0.5], [0.01, 0.02, 0.6]) == (  # times 3, and 2 once both of the first fell
        pytest.approx([0.012, 0.6, 0.6]),
        pytest.approx([0.03, 0.04, 0.6]),
    )
    assert holm_of_pairs([0.2], [0.04]) == ([0.2], [0.04])  # one pair needs no correction
    assert holm_of_pairs([], []) == ([], [])


def test_classes_are_corrected_for_all_pairs_of_runs() -> None:
    random = np.random.default_rng(1)
    runs = draw_images(random, 40, COMMON, (0.0, 0.3, 0.6))
    pairs = compare_records(dict(zip("abc", map(record, runs), strict=True)), draws=20, exchanges=499)
    effects = [effect for pair in pairs for effect in pair.classes.values()]
    assert len(pairs) == 3
    assert [effect.corrected for effect in effects] == pytest.approx(holm([effect.p for effect in effects]))
    decisive = [pair.overall["miou"] for pair in pairs]
    assert [effect.corrected for effect in decisive] == pytest.approx(holm([effect.p for effect in decisive]))
