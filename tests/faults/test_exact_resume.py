"""A training that was stopped and went on equals the one that was not: every loss, every validation, the weights."""

from __future__ import annotations

import pytest

from foveate.cli import main
from foveate.tests.faults.conftest import Range, fault, finish, start


@pytest.fixture(autouse=True)
def here(range_: Range, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(range_.folder)
    for name in ("FOVEATE_RUN_DIR", "PL_GLOBAL_SEED", "PL_SEED_WORKERS"):
        monkeypatch.delenv(name, raising=False)


WHOLE: dict[tuple[str, ...], list[str]] = {}  # what was recorded, of each setting: every test has the same images


def uninterrupted(range_: Range, *words: str, workers: int = 0) -> list[str]:
    key = (*words, str(workers))
    if key not in WHOLE:
        assert main(range_.words(*words, record="whole.txt", workers=workers)) == 0
        runs = range_.folder / "runs"
        runs.rename(range_.folder / "whole")
        WHOLE[key] = range_.recorded("whole.txt")
    return WHOLE[key]


SETTINGS = {
    "plain": [],
    "ema": ["--model.ema=0.9"],
    "accumulation": ["--trainer.accumulate_grad_batches=2"],
    "accumulation of 3": ["--trainer.accumulate_grad_batches=3", "--trainer.val_check_interval=5"],
}


CASES = [
    *(("plain", "fetched", step) for step in range(1, 12)),
    *((name, moment, step) for name in SETTINGS for moment in ("forward", "end") for step in (1, 4, 5, 8, 11)),
    *(("ema", "fetched", step) for step in (3, 4, 10, 11)),
    *(("accumulation of 3", "fetched", step) for step in (2, 5, 6, 9, 11)),
]
FEW = [("plain", "fetched", 4), ("accumulation", "forward", 3), ("ema", "end", 7)]


def compare_with_uninterrupted(name: str, moment: str, step: int, range_: Range, **settings: int) -> None:
    """Stop a training at a moment, go on, and compare all that was recorded; a batch of a validation counts too."""
    words = SETTINGS[name]
    whole = uninterrupted(range_, *words, workers=settings.get("workers", 0))
    planted = fault("SIGTERM", step=step, moment=moment, batch=settings.get("batch", 0))
    assert main(range_.words(*words, planted, workers=settings.get("workers", 0))) == 143
    assert main(range_.resume()) == 0
    assert range_.recorded() == whole


@pytest.mark.slow
@pytest.mark.parametrize(("name", "moment", "step"), CASES)
def test_a_stopped_training_goes_on_as_if_nothing_had_been(name: str, moment: str, step: int, range_: Range) -> None:
    compare_with_uninterrupted(name, moment, step, range_)


@pytest.mark.parametrize(("name", "moment", "step"), FEW)
def test_some_stopped_trainings_go_on_as_if_nothing_had_been(name: str, moment: str, step: int, range_: Range) -> None:
    compare_with_uninterrupted(name, moment, step, range_)


@pytest.mark.slow
@pytest.mark.parametrize("batch", [0, 1, 2])
@pytest.mark.parametrize("step", [4, 8, 12])
@pytest.mark.parametrize("name", ["plain", "ema"])
def test_a_validation_that_was_stopped_is_repeated(name: str, step: int, batch: int, range_: Range) -> None:
    compare_with_uninterrupted(name, "val", step, range_, batch=batch)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["plain", "ema"])
@pytest.mark.parametrize("precision", ["bf16-mixed", "bf16-true", "16-true", "64-true"])
def test_no_weight_is_rounded_in_other_precisions(precision: str, name: str, range_: Range) -> None:
    if (precision, name) == ("16-true", "ema"):
        pytest.skip("16-true keeps no average")
    words = [f"--trainer.precision={precision}", *SETTINGS[name]]
    whole = uninterrupted(range_, *words)
    assert main(range_.words(*words, fault("SIGTERM", step=6))) == 143
    assert main(range_.resume()) == 0
    assert range_.recorded() == whole


@pytest.mark.slow
@pytest.mark.parametrize("step", [2, 5, 7])
def test_reading_processes_make_no_difference(step: int, range_: Range) -> None:
    compare_with_uninterrupted("plain", "fetched", step, range_, workers=2)


@pytest.mark.slow
@pytest.mark.parametrize("moment", ["fetched", "forward", "backward"])
@pytest.mark.parametrize("name", ["plain", "accumulation"])
def test_a_bug_in_the_middle_of_a_step_loses_no_step(name: str, moment: str, range_: Range) -> None:
    words = SETTINGS[name]
    whole = uninterrupted(range_, *words)
    assert main(range_.words(*words, fault("raise", step=5, moment=moment))) == 1
    assert main(range_.resume()) == 0
    assert range_.recorded() == whole


@pytest.mark.slow
def test_noise_of_every_generator_in_processes_of_their_own(range_: Range) -> None:
    noise = "--model.network_options={encoder: {python_noise: true}}"
    assert finish(start(range_.folder, range_.words(noise, record="whole.txt", workers=2)))[0] == 0
    (range_.folder / "runs").rename(range_.folder / "whole")
    assert finish(start(range_.folder, range_.words(noise, fault("SIGTERM", step=5), workers=2)))[0] == 143
    assert finish(start(range_.folder, range_.resume()))[0] == 0
    assert range_.recorded() == range_.recorded("whole.txt")


@pytest.mark.slow
def test_two_processes_go_on_as_if_nothing_had_been_however_often(range_: Range) -> None:
    two = "--trainer.devices=2"
    assert finish(start(range_.folder, range_.words(two, record="whole.txt", workers=1)), 90)[0] == 0
    (range_.folder / "runs").rename(range_.folder / "whole")
    words = range_.words(two, fault("SIGTERM", step=3, rank=1), workers=1)
    assert finish(start(range_.folder, words), 90)[0] == 143
    assert finish(start(range_.folder, range_.resume(fault("SIGTERM", step=7, rank=1))), 90)[0] == 143
    assert finish(start(range_.folder, range_.resume()), 90)[0] == 0
    assert range_.recorded() == range_.recorded("whole.txt")
