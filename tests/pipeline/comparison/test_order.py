"""The order of trainings: what decides soonest comes first, and the comparison ends when it is decided."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from foveate.pipeline.comparison.deciding import Known
from foveate.pipeline.comparison.entries import Entry
from foveate.pipeline.comparison.findings import as_values, tell
from foveate.pipeline.comparison.order import Rule, Trainings
from foveate.pipeline.comparison.result import Cell

IMAGES, PIXELS = 400, 1000


def made_up(accuracy: float, seed: int) -> Cell:
    """The result of a training with two classes, right in about so many pixels of each image."""
    rng = np.random.default_rng(seed)
    right = np.clip(np.round(PIXELS * (accuracy + 0.002 * rng.standard_normal((IMAGES, 2)))), 0, PIXELS)
    labelled = np.full((IMAGES, 2), float(PIXELS))
    predicted = right + (labelled - right)[:, ::-1]
    empty = np.zeros((2, 2), np.float32)
    return Cell(np.concatenate([right, labelled, predicted], 1), empty[0], empty, 10.0)


class Bench:
    """Trains nothing: draws the score of a block and a seed, and lets time pass."""

    def __init__(self, means: Mapping[str, float], noise: float, rule: Rule | None, **faults: str) -> None:
        self.means, self.noise, self.now = means, noise, 0.0
        self.faults = dict(faults)
        entries = [Entry(label, label) for label in means]
        self.trainings = Trainings(entries, {}, self.faults, 3, "accuracy", rule, lambda: self.now)
        self.order: list[tuple[str, int]] = []

    def run(self) -> Bench:
        rng = np.random.default_rng(0)
        for entry, seed, _ in self.trainings:
            self.order.append((entry.label, seed))
            score = self.means[entry.label] + self.noise * rng.standard_normal()
            if entry.label not in self.faults:
                self.trainings.cells[entry.label, seed] = made_up(score, seed)
            self.now += 10.0
        return self


def test_without_a_rule_every_block_gets_as_many_seeds() -> None:
    bench = Bench({"none": 0.5, "se": 0.6}, 0.01, None).run()
    assert bench.order == [("none", 0), ("se", 0), ("none", 1), ("se", 1), ("none", 2), ("se", 2)]
    assert bench.trainings.ended == ""


def test_a_better_a_worse_and_an_equal_block_are_told_and_then_it_ends() -> None:
    means = {"none": 0.5, "better": 0.56, "worse": 0.45, "same": 0.5}
    rule = Rule(0.02, 40)
    bench = Bench(means, 0.004, rule).run()
    verdicts = bench.trainings.verdicts(rule)
    found = {label: verdict.known for label, verdict in verdicts.items()}
    assert found == {"better": Known.BETTER, "worse": Known.WORSE, "same": Known.SAME}
    assert bench.trainings.ended == "every block is known"
    assert len(bench.order) < 4 * 12
    assert as_values(verdicts)["worse"]["difference"] < -0.03
    said = tell("better", verdicts["better"], "none", detect=0.02, seconds=10, images=IMAGES)
    assert said.startswith("better is better than none: +")


def test_the_block_that_is_nearly_known_is_trained_next() -> None:
    rule = Rule(0.005, 40)
    bench = Bench({"none": 0.5, "hard": 0.503, "easy": 0.55}, 0.004, rule).run()
    further = [label for label, seed in bench.order if seed >= 3 and label != "none"]
    assert further[0] == "easy"
    assert "hard" in further


def test_every_training_is_paired_with_the_baseline() -> None:
    bench = Bench({"none": 0.5, "one": 0.51, "two": 0.49}, 0.01, Rule(0.02, 12)).run()
    seeds = {label: sorted(seed for name, seed in bench.order if name == label) for label in bench.means}
    assert set(seeds["one"]) | set(seeds["two"]) <= set(seeds["none"])
    assert len(bench.order) == len(set(bench.order))


def test_the_budget_is_not_overrun_and_what_is_open_says_what_it_would_take() -> None:
    rule = Rule(0.01, 1000, budget=200.0)
    bench = Bench({"none": 0.5, "se": 0.505}, 0.02, rule).run()
    assert bench.now <= 200
    assert bench.trainings.ended == "the budget of 3.3 min is spent"
    verdict = bench.trainings.verdicts(rule)["se"]
    assert verdict.known is Known.OPEN
    said = tell("se", verdict, "none", detect=0.01, seconds=10, images=IMAGES)
    assert "se: not known: " in said
    assert "more seeds" in said


def test_the_largest_number_of_seeds_ends_it() -> None:
    bench = Bench({"none": 0.5, "se": 0.501}, 0.02, Rule(0.005, 5)).run()
    assert max(seed for _, seed in bench.order) == 4
    assert "5 seeds are the most" in bench.trainings.ended


def test_failed_blocks_are_left_and_a_failed_baseline_ends_it() -> None:
    bench = Bench({"none": 0.5, "bad": 0.5, "good": 0.6}, 0.004, Rule(0.02, 9), bad="broken").run()
    assert set(bench.trainings.verdicts(Rule(0.02, 9))) == {"good"}
    assert bench.trainings.ended == "every block is known"
    bench = Bench({"none": 0.5, "good": 0.6}, 0.004, Rule(0.02, 9), none="broken").run()
    assert bench.trainings.ended == "the baseline failed: broken"
