"""The bench against peers: how figures are taken, kept, compared and told. No peer is needed, and nothing is timed."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import kendalltau

from foveate.benchmarks import race_report, report
from foveate.benchmarks.elsewhere import Elsewhere
from foveate.benchmarks.equal_start import figures, kendall
from foveate.benchmarks.networks import create_task, random_batch
from foveate.benchmarks.pairing import alternate, fastest, ratio
from foveate.benchmarks.race import rate, stops
from foveate.benchmarks.results import Goal, Result, Settings
from foveate.benchmarks.run import CASES, keep
from foveate.pipeline.comparison.entries import parse_entries
from foveate.pipeline.comparison.result import Cell


class Clock:
    """Goes forward by what candidates take."""

    def __init__(self) -> None:
        self.now = 0.0
        self.called: list[str] = []

    def __call__(self) -> float:
        return self.now

    def candidate(self, name: str, *seconds: float):
        turns = iter(seconds)

        def call() -> None:
            self.called.append(name)
            self.now += next(turns)

        return call


def result(**figures: list[float]) -> Result:
    goals = [Goal("a step", "peer", "ours", 2.0)]
    return Result("steps", "Steps", "A step.", figures, goals, facts={"threads": "1", "torch": "2.0"})


def test_candidates_take_turns_and_the_first_rounds_are_not_counted() -> None:
    clock = Clock()
    candidates = {"a": clock.candidate("a", 9, 1, 2), "b": clock.candidate("b", 8, 3, 4)}
    assert alternate(candidates, rounds=2, warmup=1, clock=clock) == {"a": [1, 2], "b": [3, 4]}
    assert clock.called == ["a", "b"] * 3


def test_waiting_for_a_device_belongs_to_the_time() -> None:
    clock = Clock()
    seconds = alternate({"a": clock.candidate("a", 1)}, rounds=1, warmup=0, clock=clock, after=clock.candidate("w", 5))
    assert seconds == {"a": [6]}


def test_a_ratio_is_the_median_over_the_rounds_and_not_the_ratio_of_medians() -> None:
    slow_machine = 10.0  # in the second round, for both
    measured = ratio([4.0, 4.0 * slow_machine, 6.0], [2.0, 2.0 * slow_machine, 2.0])
    assert (measured.median, measured.low, measured.high) == (2.0, 2.0, 2.5)


def test_figures_of_different_rounds_are_not_compared() -> None:
    with pytest.raises(ValueError):
        ratio([1.0, 2.0], [1.0])


def test_the_best_setting_is_the_one_of_the_smallest_median() -> None:
    clock = Clock()
    candidates = {"a": clock.candidate("a", 1, 3, 3, 1), "b": clock.candidate("b", 5, 2, 2, 50)}
    assert fastest(candidates, clock=clock) == "b"


@pytest.mark.parametrize(("ours", "met"), [([1.0, 1.0], True), ([2.1, 2.1], False)])
def test_a_goal_of_time_is_met_from_its_factor_on(ours: list[float], met: bool) -> None:
    assert Goal("row", "peer", "ours", 2.0).is_met({"peer": [4.0, 4.0], "ours": ours}) is met


@pytest.mark.parametrize(("ours", "met"), [([60.0], True), ([61.0], False)])
def test_a_goal_of_memory_is_a_share_at_most(ours: list[float], met: bool) -> None:
    assert Goal("row", "peer", "ours", 0.6, share=True).is_met({"peer": [100.0], "ours": ours}) is met


def test_a_result_comes_back_from_its_file_as_it_was(tmp_path: Path) -> None:
    kept = result(peer=[4.0], ours=[1.0])
    assert Result.load(kept.save(tmp_path)) == kept
    assert [path.name for path in tmp_path.iterdir()] == ["steps.json"]


def test_the_report_tells_goal_ratio_and_threads(tmp_path: Path) -> None:
    text = report.write([result(peer=[4.0, 6.0], ours=[2.0, 2.0])], tmp_path)
    assert "| a step | peer | 2x | 2.50 (2.25-2.75) | yes | 2 | 1 |" in text


def on(machine: str, case: str) -> Result:
    kept = result(peer=[4.0], ours=[1.0])
    kept.case, kept.facts = case, {"threads": "1", "load before": "0.1", "processor": machine, "torch": "2.0"}
    return kept


def test_a_case_from_another_machine_says_so_in_its_section(tmp_path: Path) -> None:
    text = report.write([on("A", "peaks"), on("B", "confusion"), on("A", "memory")], tmp_path)
    assert "Machine: processor A." in text
    assert text.count("Measured apart from most: processor B.") == 1
    assert "Measured apart from most: processor A." not in text


def test_a_case_measured_again_replaces_its_own_figures_and_no_others(tmp_path: Path) -> None:
    first, second, measured = tmp_path / "first", tmp_path / "second", tmp_path / "measured"
    for case in ("peaks", "confusion"):
        on("A", case).save(first)
    on("B", "confusion").save(second)
    keep(first, measured)
    kept = keep(second, measured)
    assert [(result.case, result.facts["processor"]) for result in kept] == [("peaks", "A"), ("confusion", "B")]


def test_figures_that_are_kept_are_those_of_the_report(root: Path, tmp_path: Path) -> None:
    folder = root / "benchmarks"
    assert report.write(keep(tmp_path, folder / "measured/cpu"), folder) == (folder / "RESULTS.md").read_text()


def test_notes_are_kept_when_the_report_is_written_anew(tmp_path: Path) -> None:
    (tmp_path / "notes.md").write_text("## Notes\n\nThe limit is memory.\n")
    assert report.write([], tmp_path).endswith("The limit is memory.\n")


def test_every_case_is_a_file_that_can_be_run(root: Path) -> None:
    for case in CASES:
        assert "def run(settings: Settings) -> Result:" in (root / "benchmarks" / f"{case}.py").read_text()


def test_rounds_can_be_cut_but_not_below_three() -> None:
    assert (Settings(rounds=0.5).times(20), Settings(rounds=0.01).times(20)) == (10, 3)


def test_the_batch_of_the_bench_is_one_the_task_learns_from() -> None:
    task = create_task()
    loss = task.compute_loss(random_batch(2, (64, 96), 19))
    loss.backward()
    assert loss.isfinite()


def test_the_rate_of_the_race_rises_falls_and_ends_at_nothing() -> None:
    assert rate(0.0) < rate(0.02) < rate(0.05) == 1.0
    assert rate(0.05) > rate(0.6) > rate(1.0) == 0.0


def test_the_race_is_scored_at_its_end_and_at_even_times_before() -> None:
    assert (stops(720, 240), stops(500, 240), stops(60, 240)) == ([240, 480, 720], [240, 480, 500], [60])


def race(name: str, *mious: float) -> dict[str, object]:
    points = [{"minute": 2.0 * k, "step": k, "miou": miou} for k, miou in enumerate(mious, start=1)]
    return {"name": name, "seed": 0, "minutes": 8, "done": True, "points": points}


def test_the_race_is_told_only_when_a_run_is_done_and_stays_told(tmp_path: Path) -> None:
    runs = tmp_path / "race"
    runs.mkdir()
    (runs / "ours.json").write_text(json.dumps({**race("ours", 0.1), "done": False}))
    race_report.write(runs, tmp_path)
    assert not (tmp_path / "race.md").exists()
    (runs / "ours.json").write_text(json.dumps(race("ours", 0.1, 0.3)))
    race_report.write(runs, tmp_path)
    race_report.write(tmp_path / "nothing", tmp_path)
    assert "| ours | 8 | 0 | 2 | 30.0 % |" in report.write([], tmp_path)
    assert (tmp_path / "race.svg").is_file()


def test_ours_has_passed_a_peer_when_it_first_stands_at_the_peers_last_score() -> None:
    runs = [race("ours", 0.1, 0.3, 0.4, 0.5), race("peer", 0.1, 0.2, 0.35, 0.3), race("strong", 0.2, 0.4, 0.5, 0.6)]
    assert race_report.overtakings(runs) == {"peer": ["0.50"], "strong": ["never"]}


CHILD = """
import sys
from pathlib import Path
from foveate.benchmarks.elsewhere import take_turns
print("a library says hello")
take_turns(lambda: Path(sys.argv[1]).open("a").write(sys.argv[2]))
"""


def test_candidates_in_processes_of_their_own_take_turns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "child.py").write_text(CHILD)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    seen = tmp_path / "seen"
    candidates = {name: Elsewhere("child", str(seen), name) for name in "ab"}
    seconds = alternate(candidates, rounds=3, warmup=1)
    for candidate in candidates.values():
        candidate.close()
    assert seen.read_text() == "abababab"
    assert [len(each) for each in seconds.values()] == [3, 3]


def test_a_candidate_that_ends_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "child.py").write_text("raise SystemExit(4)")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(RuntimeError, match=r"child.* ended with 4"):
        Elsewhere("child")


def test_kendalls_tau_is_that_of_scipy() -> None:
    random = np.random.default_rng(0)
    for _ in range(20):
        ours, theirs = random.normal(size=(2, 6))
        assert kendall(ours, theirs) == pytest.approx(kendalltau(ours, theirs).statistic)


def cells_of_accuracy(*rates: float) -> list[list[Cell]]:
    """For each block two seeds with 40 images of 100 pixels of two classes, of which a share is right."""
    random, found = np.random.default_rng(0), []
    for share in rates:
        right = np.clip(random.normal(100 * share, 3, size=(2, 40, 2)), 0, 100)
        counts = np.concatenate([right, np.full((2, 40, 4), 100.0)], 2)  # correct, labelled, predicted pixels
        found.append([Cell(one, np.zeros(1, np.float32), np.zeros((1, 1), np.float32), 1.0) for one in counts])
    return found


def test_a_planted_order_of_blocks_is_found_and_so_is_the_opposite_one() -> None:
    rising, falling = (0.5, 0.6, 0.7, 0.8), (0.8, 0.7, 0.6, 0.5)
    cells = {"long": rising, "scratch": falling, "scratch_longer": rising, "distilled": rising}
    found = figures(
        {start: cells_of_accuracy(*rates) for start, rates in cells.items()},
        parse_entries("none,se,eca,lka", ["gate"]),
        "mIoU",
    )
    assert found["tau"] == {"scratch": -1.0, "scratch_longer": 1.0, "distilled": 1.0}
    assert found["tau_of_each_seed"] == {start: [tau, tau] for start, tau in found["tau"].items()}
    assert found["gain_interval"] == {"scratch": [2.0, 2.0], "scratch_longer": [0.0, 0.0]}
    assert found["share_of_draws_where_distilled_agrees_more"] == {"scratch": 1.0, "scratch_longer": 0.0}
