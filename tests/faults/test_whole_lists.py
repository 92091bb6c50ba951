"""Row 36 of the faults: of many faulty files the first few are printed, and all are in a file that is named."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from foveate.cli import main
from foveate.datasets.loading.damage import SHOWN, DamageLog
from foveate.pipeline.commands.import_data import _refuse_faults
from foveate.tests.faults.conftest import Range


def test_a_check_lists_all_damaged_files(
    range_: Range, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(range_.folder)
    for number in range(9):
        (range_.root / f"images/train/{number}.png").write_bytes(b"\x89PNG cut short")
    assert main(["data", "check", str(range_.root), "--page", "none"]) == 3
    listing = range_.root / ".foveate/check.txt"
    assert f"... and 4 more (all in {listing})" in capsys.readouterr().out
    damaged = [line for line in listing.read_text().splitlines() if line.startswith("files.damaged\t")]
    assert len(damaged) == 9
    assert damaged[8].endswith("images/train/8.png")


def test_a_check_with_few_faults_writes_no_list(range_: Range, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(range_.folder)
    (range_.root / "images/train/0.png").write_bytes(b"\x89PNG cut short")
    assert main(["data", "check", str(range_.root), "--page", "none"]) == 3
    assert not (range_.root / ".foveate/check.txt").exists()


def test_a_training_lists_all_files_that_it_skipped(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    listing = tmp_path / ".foveate/skipped.txt"
    damage = DamageLog(listing)
    damage.see({"faults": [f"{number:02}.png: cut short" for number in range(SHOWN + 5)]})
    with caplog.at_level(logging.WARNING):
        damage.tell()
    assert f"and 5 more (all in {listing})" in caplog.text
    assert len(listing.read_text().splitlines()) == SHOWN + 5


def test_an_import_lists_all_faults(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(Exception, match="50 faults, listed above"):
        _refuse_faults([f"{number}.png: no such image" for number in range(50)], tmp_path / "out.faults.txt")
    assert f"... and 30 more (all in {tmp_path / 'out.faults.txt'})" in capsys.readouterr().out
    assert len((tmp_path / "out.faults.txt").read_text().splitlines()) == 50
