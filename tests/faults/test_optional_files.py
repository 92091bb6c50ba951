"""Pictures, score files and the summary that cannot be written do not end a training."""

from __future__ import annotations

from typing import Any

import pytest

from foveate.cli import main
from foveate.pipeline.loggers.csv import read_log
from foveate.tests.faults.conftest import Range

pytestmark = pytest.mark.slow
WRITERS = (
    "callbacks.overlays.save_picture",
    "callbacks.score_keeper.write_scores",
    "training.summary.draw_curves",
    "training.summary.write_text",
)


def full(*args: Any, **kwargs: Any) -> None:
    raise OSError(28, "No space left on device")


def test_a_training_goes_on_without_them_and_says_so_once(
    range_: Range, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(range_.folder)
    for name in ("FOVEATE_RUN_DIR", "PL_GLOBAL_SEED", "PL_SEED_WORKERS"):
        monkeypatch.delenv(name, raising=False)
    for name in WRITERS:
        monkeypatch.setattr(f"foveate.pipeline.{name}", full)
    assert main([*range_.words(), "--pictures.count=2"]) == 0
    said = capfd.readouterr().err
    for what in ("pictures of validation images", "score files", "curves.png and summary.md"):
        assert said.count(f"warning: {what} cannot be written ([Errno 28]") == 1, said
    assert len(read_log(range_.run / "metrics.csv")) >= 12
    assert (range_.run / "checkpoints" / "last.ckpt").is_file()


def test_tensorboard_by_its_short_word_is_continued_by_a_resumed_run(
    range_: Range, monkeypatch: pytest.MonkeyPatch
) -> None:
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    monkeypatch.chdir(range_.folder)
    for name in ("FOVEATE_RUN_DIR", "PL_GLOBAL_SEED", "PL_SEED_WORKERS"):
        monkeypatch.delenv(name, raising=False)
    assert main([*range_.words("--trainer.logger=tensorboard", steps=8)]) == 0
    assert main(range_.resume(steps=12)) == 0
    found = accumulator.EventAccumulator(str(range_.run / "tensorboard")).Reload()
    assert [event.step for event in found.Scalars("train/loss")] == list(range(1, 13))
    assert [event.step for event in found.Scalars("val/miou")] == [4, 8, 12]
