"""Ctrl-C ends a comparison; it does not count as a fault of the block that is being trained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from foveate.pipeline.comparison import run as running
from foveate.pipeline.comparison.entries import Entry
from foveate.pipeline.comparison.study import Study
from foveate.pipeline.errors import Stopped


def stop(*given: Any) -> None:
    raise Stopped(2)


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Study:
    monkeypatch.setattr(running, "run_cell", stop)
    return Study(name="x", recipe={}, slots=("gate",), steps=1, out=tmp_path)


def test_a_signal_during_a_training_ends_the_comparison(study: Study) -> None:
    faults: dict[str, str] = {}
    with pytest.raises(Stopped):
        running._run(study, Entry("se", "se", "gate"), 0, faults, "[1/2]", "mIoU", {})
    assert faults == {}


def test_a_signal_while_blocks_are_tried_ends_the_comparison(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop_once(study: Study, entry: Entry) -> Any:
        return entry if entry.label == "eca" else stop()

    monkeypatch.setattr(running, "try_out", stop_once)
    with pytest.raises(Stopped):
        running._try_out(study, [Entry("se", "se", "gate"), Entry("eca", "eca", "gate")], {})
