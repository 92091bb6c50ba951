"""Threads and how they wait are chosen before torch is loaded, and never against the user's word."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from foveate.pipeline import threads


@pytest.fixture
def before_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "torch")


@pytest.mark.usefixtures("before_torch")
@pytest.mark.parametrize("word", threads.SAID)
def test_what_the_user_said_stays(word: str) -> None:
    environment = {word: "passive", "OMP_NUM_THREADS": "3"}
    threads.choose_threads(environment)
    assert environment == {word: "passive", "OMP_NUM_THREADS": "3"}


@pytest.mark.usefixtures("before_torch")
@pytest.mark.parametrize(("busy", "spins"), [(True, "1000"), (False, "3000")])
def test_threads_wait_for_less_long_beside_others(busy: bool, spins: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "is_busy", lambda _: busy)
    environment: dict[str, str] = {}
    threads.choose_threads(environment)
    assert environment["GOMP_SPINCOUNT"] == spins


@pytest.mark.usefixtures("before_torch")
def test_a_quota_gives_fewer_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "usable_cores", lambda: 1)
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    environment: dict[str, str] = {}
    threads.choose_threads(environment)
    assert environment["OMP_NUM_THREADS"] == "1"


def test_nothing_is_set_once_torch_is_loaded() -> None:
    environment: dict[str, str] = {}
    threads.choose_threads(environment)
    assert not environment


@pytest.mark.parametrize(
    ("line", "busy"), [("9.00 9.00 9.00 1/80 7", False), ("0.00 0.00 0.00 5/80 7", True), ("", False)]
)
def test_the_moment_counts_and_not_the_last_minute(
    line: str, busy: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    (tmp_path / "loadavg").write_text(line)
    assert threads.is_busy(4, tmp_path / "loadavg") is busy


def test_the_command_sets_it_before_torch_reads_it(tmp_path: Path) -> None:
    code = "import foveate.cli as cli, os; cli.main(['plugins', 'list']); print(os.environ['GOMP_SPINCOUNT'])"
    environment = {name: value for name, value in os.environ.items() if name not in threads.SAID}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] in ("1000", "3000")
