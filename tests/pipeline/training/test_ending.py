"""The last line says why a training ended."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import lightning.pytorch as L
import pytest
from lightning.pytorch.callbacks import EarlyStopping, Timer

from foveate.pipeline.training.ending import tell_end


def trainer(**changes: Any) -> MagicMock:
    fake = MagicMock(spec=L.Trainer)
    settings = {
        "global_step": 40,
        "max_steps": -1,
        "max_epochs": None,
        "current_epoch": 2,
        "limit_train_batches": 1.0,
        "callbacks": [],
        "should_stop": True,
    }
    fake.configure_mock(**{**settings, **changes})
    return fake


def timer() -> Timer:
    found = Timer(timedelta(seconds=0))
    found.start_time = lambda stage=None: 1.0  # type: ignore[method-assign,assignment]
    return found


def patience() -> EarlyStopping:
    found = EarlyStopping("val/miou", patience=3)
    found.wait_count = 3
    return found


@pytest.mark.parametrize(
    ("changes", "why", "how"),
    [
        ({"max_steps": 40}, "max_steps 40 is reached", "--trainer.max_steps 80"),
        ({"max_epochs": 2}, "max_epochs 2 is reached", "--trainer.max_epochs 4"),
        ({"callbacks": [timer()]}, "max_time is over", "--trainer.max_time"),
        ({"callbacks": [patience()]}, "early stopping: val/miou did not improve in 3", "--ckpt_path"),
        ({"limit_train_batches": 0}, "limit_train_batches is 0", "--trainer.limit_train_batches 1.0"),
        ({}, "a callback stopped it", "--ckpt_path"),
    ],
)
def test_the_end_says_why_and_how_to_go_on(changes: dict[str, Any], why: str, how: str, tmp_path: Path) -> None:
    line = tell_end(trainer(**changes), tmp_path, 0)
    assert line.startswith(f"ended at step 40: {why}")
    assert how in line.partition("Go on with: foveate fit --ckpt_path ")[2] + "--ckpt_path"


def test_a_run_that_was_finished_before_says_that_nothing_was_left(tmp_path: Path) -> None:
    assert tell_end(trainer(max_steps=40), tmp_path, 40).startswith("nothing was left to train after step 40")
