"""What is suggested for a mistyped name, option or path."""

from __future__ import annotations

from pathlib import Path

import pytest

from foveate.datasets.text import near
from foveate.plugins.hints import did_you_mean, did_you_mean_path, nearest, nearest_options

NAMES = ["segnext_t", "segnext_s", "segnext_b", "segnext_l", "van_b0", "mscan_t"]
OPTIONS = ["--config", "--data.root", "--model.optimizer.lr", "--model.optimizer.name", "--model.schedule.name"]


def test_at_most_three_are_suggested_and_only_if_nearly_as_similar_as_the_first() -> None:
    assert did_you_mean("segnext", NAMES) == "; did you mean 'segnext_t', 'segnext_s' or 'segnext_b'?"
    assert nearest("segnxt_t", NAMES) == ["segnext_t"]
    assert nearest("resnet", NAMES) == []


@pytest.mark.parametrize("given", ["SEGNEXT-T", "segnextt", "timm:segnext_t"])
def test_what_differs_in_spelling_alone_is_the_only_suggestion(given: str) -> None:
    assert nearest(given, NAMES) == ["segnext_t"]


@pytest.mark.parametrize("given", ["", "-", "..."])
def test_nothing_is_like_nothing(given: str) -> None:
    assert did_you_mean(given, NAMES) == ""


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ("--model.optimiser.lr", ["--model.optimizer.lr"]),
        ("--modle.optimizer.nmae", ["--model.optimizer.name"]),
        ("--lr", ["--model.optimizer.lr"]),
        ("--name", ["--model.optimizer.name", "--model.schedule.name"]),
        ("--solver.lr", ["--model.optimizer.lr"]),
        ("--confg", ["--config"]),
        ("--verbose", []),
    ],
)
def test_an_option_is_found_at_every_level(given: str, found: list[str]) -> None:
    assert nearest_options(given, OPTIONS) == found


def test_a_path_is_compared_where_it_leaves_what_exists(tmp_path: Path) -> None:
    (tmp_path / "runs" / "latest").mkdir(parents=True)
    latest = tmp_path / "runs" / "latest"
    assert did_you_mean_path(tmp_path / "runs" / "latst") == f"; did you mean '{latest}'?"
    assert did_you_mean_path(tmp_path / "rnus" / "latest") == f"; did you mean '{latest}'?"
    assert did_you_mean_path(tmp_path / "photos") == ""
    assert did_you_mean_path(tmp_path / "rnus" / "else") == ""


def test_a_path_is_suggested_as_it_was_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("data").mkdir()
    assert did_you_mean_path("dta") == "; did you mean 'data'?"


@pytest.mark.parametrize("given", ["segnxt_t", "segnext", "VAN-B0", "nothing like it", ""])
def test_data_sets_which_import_none_of_it_suggest_the_same(given: str) -> None:
    assert near(given, NAMES) == did_you_mean(given, NAMES)
