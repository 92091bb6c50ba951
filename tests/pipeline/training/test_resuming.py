"""Checkpoints to go on from: what lacks its state is told, what has ended says so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from foveate.cli import main
from foveate.pipeline.errors import CheckpointError
from foveate.pipeline.training.resuming import STATE, check_resumable

# A training of two steps on scikit-learn's digits
RUN = [
    *("--config", "digits_vit_ti", "--trainer.accelerator", "cpu", "--trainer.max_steps", "2"),
    *("--trainer.val_check_interval", "2", "--trainer.limit_val_batches", "1"),
    *("--data.num_workers", "0", "--data.batch_size", "8"),
]

WHOLE: dict[str, Any] = {**dict.fromkeys(STATE, 1), "optimizer_states": [{}], "pytorch-lightning_version": "2.6.6"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"optimizer_states": []}, "optimizer_states"),
        ({"optimizer_states": None}, "optimizer_states"),
        ({"pytorch-lightning_version": "1.9.5"}, r"written by Lightning 1\.9\.5"),
    ],
)
def test_a_checkpoint_without_its_state_is_refused(changes: dict[str, Any], message: str) -> None:
    check_resumable(WHOLE, Path("x.ckpt"))
    with pytest.raises(CheckpointError, match=f"{message}.*--model.weights x.ckpt"):
        check_resumable({**WHOLE, **changes}, Path("x.ckpt"))


@pytest.mark.parametrize("command", ["fit", "validate", "predict"])
def test_a_text_file_is_no_checkpoint(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("notes.ckpt").write_text("some text, no checkpoint\n")
    assert main([command, "--ckpt_path", "notes.ckpt"]) == 4
    assert len(capsys.readouterr().err.strip().splitlines()) == 1


def test_a_limit_that_is_reached_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FOVEATE_RUN_DIR", "")
    assert main(["fit", *RUN]) == 0
    assert main(["fit", "--ckpt_path", "last"]) == 0
    told = capsys.readouterr().out.strip().splitlines()[-1]
    assert "at step 2, nothing is left to train up to --trainer.max_steps 2" in told
    assert "--trainer.max_steps 4" in told
    content = torch.load("runs/latest/checkpoints/last.ckpt", weights_only=True)
    torch.save({**content, "optimizer_states": []}, "bare.ckpt")
    assert main(["fit", "--ckpt_path", "bare.ckpt", "--trainer.max_steps", "4"]) == 4
