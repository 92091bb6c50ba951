"""The leaderboard's order, budget and resumption, with trainings that are made up."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from foveate.pipeline.comparison.entries import Entry, parse_entries
from foveate.pipeline.errors import CheckpointError, ConfigError, Stopped, UnusableDataError
from foveate.pipeline.leaderboard import run as running
from foveate.pipeline.leaderboard.protocol import Protocol, find_protocol, parse_protocol
from foveate.pipeline.leaderboard.run import Budget, Job, choose_tracks, claim, list_jobs, run_jobs
from foveate.tests.pipeline.leaderboard.made import CONTENT, content, protocol, write_data

Fit = Callable[..., dict[str, Any]]


def jobs_of(out: Path, blocks: str = "none,se", of: Protocol | None = None) -> list[Job]:
    rules = of or protocol()
    return list_jobs(rules, list(rules.tracks.values()), parse_entries(blocks, ["slot"]), out)


@pytest.fixture
def fits(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """The made-up trainings that took place."""
    done: list[tuple[str, int]] = []

    def fit(rules: Protocol, track: object, study: object, entry: Entry, seed: int) -> dict[str, Any]:
        done.append((entry.label, seed))
        if entry.label == "simam":
            raise RuntimeError("it breaks")
        if entry.label == "lka":
            raise Stopped(2)
        return content(entry.label, seed)

    monkeypatch.setattr(running, "fit_record", fit)
    return done


def lines_of(out: Path, blocks: str = "none,se", budget: Budget | None = None) -> list[str]:
    return list(run_jobs(protocol(), jobs_of(out, blocks), out, [], budget or Budget(None)))


def test_every_block_gets_its_first_seed_before_any_gets_its_second(tmp_path: Path, fits: list[Any]) -> None:
    lines_of(tmp_path)
    assert fits == [("none", 0), ("se", 0), ("none", 1), ("se", 1)]


def test_a_second_run_trains_what_is_missing(tmp_path: Path, fits: list[Any]) -> None:
    lines_of(tmp_path)
    (tmp_path / "camvid-gate" / "se-0.json").unlink()
    fits.clear()
    assert "4 trainings, 3 of them done before" in lines_of(tmp_path)[0]
    assert fits == [("se", 0)]


def test_what_another_process_trains_is_left_to_it(tmp_path: Path, fits: list[Any]) -> None:
    theirs = next(job for job in jobs_of(tmp_path) if (job.entry.label, job.seed) == ("se", 0))
    with claim(theirs) as ours:
        assert ours
        said = lines_of(tmp_path)
    assert fits == [("none", 0), ("none", 1), ("se", 1)]
    assert [line for line in said if "by another process" in line] == [
        f"[2/4] {theirs}: being trained by another process"
    ]
    assert "3 of them done before" in lines_of(tmp_path)[0]
    assert fits[-1] == ("se", 0)
    assert list(tmp_path.rglob("*.lock")) == []


def test_what_another_process_did_meanwhile_is_not_done_again(tmp_path: Path, fits: list[Any]) -> None:
    run = run_jobs(protocol(), jobs_of(tmp_path), tmp_path, [], Budget(None))
    next(run)
    lines_of(tmp_path)
    assert sum("done by another process" in line for line in run) == 4
    assert len(fits) == 4


def test_the_budget_leaves_the_rest_for_another_time(tmp_path: Path, fits: list[Any]) -> None:
    times = iter([0.0, 0.0, 0.0, 40.0, 40.0, 40.0, 80.0, 80.0, 80.0])
    said = lines_of(tmp_path, budget=Budget(100.0, clock=lambda: next(times)))
    assert fits == [("none", 0), ("se", 0)]
    assert "2 trainings are left" in said[-1]


def test_the_time_that_is_left_is_told(tmp_path: Path, fits: list[Any]) -> None:
    times = iter(range(0, 10_000, 100))
    said = lines_of(tmp_path, budget=Budget(None, clock=lambda: next(times)))
    assert said[2].endswith("; about 5.0 min left")
    assert "; about" not in said[-2]


def test_a_block_that_fails_is_told_and_the_others_go_on(tmp_path: Path, fits: list[Any]) -> None:
    said = lines_of(tmp_path, "none,simam,se")
    assert any("simam, seed 0: failed, no record: RuntimeError: it breaks" in line for line in said)
    assert ("se", 1) in fits
    assert not (tmp_path / "camvid-gate" / "simam-0.json").exists()


def test_a_signal_ends_the_run_and_what_is_done_stays(tmp_path: Path, fits: list[Any]) -> None:
    with pytest.raises(Stopped):
        lines_of(tmp_path, "none,lka,se")
    assert fits == [("none", 0), ("lka", 0)]
    assert [path.name for path in (tmp_path / "camvid-gate").iterdir()] == ["none-0.json"]


def test_a_damaged_record_is_not_taken_for_done(tmp_path: Path, fits: list[Any]) -> None:
    lines_of(tmp_path)
    (tmp_path / "camvid-gate" / "se-0.json").write_text("{")
    with pytest.raises(CheckpointError, match=r"se-0\.json"):
        lines_of(tmp_path)


def test_records_of_another_protocol_are_not_mixed_in(tmp_path: Path, fits: list[Any]) -> None:
    lines_of(tmp_path)
    other = parse_protocol({**CONTENT, "version": "other"}, "other")
    with pytest.raises(ConfigError, match="another protocol"):
        list(run_jobs(other, jobs_of(tmp_path, of=other), tmp_path, [], Budget(None)))


def test_data_that_are_not_the_protocol_s_are_told(tmp_path: Path, fits: list[Any]) -> None:
    recipes = {"camvid": {**CONTENT["recipes"]["camvid"], "data_sha256": "9" * 64}}
    rules = parse_protocol({**CONTENT, "recipes": recipes}, "strict")
    jobs = list_jobs(rules, list(rules.tracks.values()), parse_entries("none", ["slot"]), tmp_path)
    said = list(run_jobs(rules, jobs[:1], tmp_path, [], Budget(None)))
    assert "a table of its own" in said[-2]


def test_tracks_are_chosen_by_name_or_slot(tmp_path: Path) -> None:
    write_data(tmp_path)
    assert [track.name for track in choose_tracks(protocol(), ["gate"], tmp_path)] == ["camvid-gate"]
    with pytest.raises(ConfigError, match="accepted: camvid-gate, gate"):
        choose_tracks(protocol(), ["stage"], tmp_path)
    with pytest.raises(UnusableDataError, match="no folder camvid in it"):
        choose_tracks(protocol(), [], tmp_path / "nowhere")


def test_the_shipped_protocol_has_its_three_tracks() -> None:
    shipped = find_protocol("1")
    assert list(shipped.tracks) == ["camvid-gate", "cifar10-block", "cifar10-stage"]
    assert [track.slot for track in shipped.tracks.values()] == ["gate", "block", "stage"]
    assert shipped.seeds == 3


@pytest.mark.parametrize("change", [{"tracks": {"x": {}}}, {"bounds": {}}, {"recipes": {}}, {"seeds": "many"}])
def test_a_file_that_is_no_protocol_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="not readable as a protocol"):
        parse_protocol({**CONTENT, **change}, "x.yaml")


def test_an_unknown_protocol_is_refused() -> None:
    with pytest.raises(ConfigError, match="no such version or file"):
        find_protocol("99")
