"""A training that was stopped and went on equals the one that was not: every loss, every validation, the weights."""

from __future__ import annotations

import pytest

from foveate.cli import main
from foveate.tests.faults.conftest import Range, fault


@pytest.fixture(autouse=True)
def here(range_: Range, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(range_.folder)
    for name in ("FOVEATE_RUN_DIR", "PL_GLOBAL_SEED", "PL_SEED_WORKERS"):
        monkeypatch.delenv(name, raising=False)


def uninterrupted(range_: Range, *words: str, workers: int = 0) -> list[str]:
    assert main(range_.words(*words, record="whole.txt", workers=workers)) == 0
    runs = range_.folder / "runs"
    runs.rename(range_.folder / "whole")
    return range_.recorded("whole.txt")


SETTINGS = {
    "plain": [],
    "ema": ["--model.ema=0.9"],
    "accumulation": ["--trainer.accumulate_grad_batches=2"],
    "accumulation of 3": ["--trainer.accumulate_grad_batches=3", "--trainer.val_check_interval=5"],
}


@pytest.mark.parametrize("step", range(1, 12))
@pytest.mark.parametrize("moment", ["fetched", "forward", "end"])
@pytest.mark.parametrize("name", SETTINGS)
def test_a_stopped_training_goes_on_as_if_nothing_had_been(name: str, moment: str, step: int, range_: Range) -> None:
    words = SETTINGS[name]
    whole = uninterrupted(range_, *words)
    assert main(range_.words(*words, fault("SIGTERM", step=step, moment=moment))) == 143
    assert main(range_.resume()) == 0
    assert range_.recorded() == whole
