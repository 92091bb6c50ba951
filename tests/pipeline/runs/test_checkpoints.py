"""Checkpoints: read without running code, and refused with the reason where they do not fit."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch
from torch import nn

from foveate.pipeline.errors import CheckpointError
from foveate.pipeline.runs.checkpoints import load_into, read_checkpoint


class Malicious:
    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, (self.command,)


def saved(tmp_path: Path, model: nn.Module) -> Path:
    path = tmp_path / "some.ckpt"
    torch.save({"state_dict": model.state_dict(), "global_step": 3}, path)
    return path


def test_a_checkpoint_comes_back(tmp_path: Path) -> None:
    model = nn.Linear(3, 2)
    path = saved(tmp_path, model)
    other = nn.Linear(3, 2)
    load_into(other, read_checkpoint(path), path)
    assert torch.equal(other.weight, model.weight)


@pytest.mark.parametrize("size", [0, 1, 200, 0.5])
def test_a_cut_file_is_named(tmp_path: Path, size: float) -> None:
    path = saved(tmp_path, nn.Linear(30, 20))
    whole = path.read_bytes()
    path.write_bytes(whole[: int(size * len(whole)) if size == 0.5 else int(size)])
    with pytest.raises(CheckpointError, match=r"some\.ckpt"):
        read_checkpoint(path)


@pytest.mark.parametrize("setting", ["0", "1"])
def test_code_in_a_checkpoint_does_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, setting: str) -> None:
    monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", setting)
    path = tmp_path / "some.ckpt"
    torch.save({"state_dict": Malicious(f"touch {tmp_path}/ran")}, path)
    with pytest.raises(CheckpointError, match="refused"):
        read_checkpoint(path)
    assert not (tmp_path / "ran").exists()


def test_another_shape_is_told_with_both(tmp_path: Path) -> None:
    path = saved(tmp_path, nn.Linear(3, 2))
    with pytest.raises(CheckpointError, match=r"weight is \[2, 3\] in the file, \[4, 3\] in the model"):
        load_into(nn.Linear(3, 4), read_checkpoint(path), path)


def test_missing_and_extra_names_are_told(tmp_path: Path) -> None:
    path = saved(tmp_path, nn.Sequential(nn.Linear(3, 2)))
    with pytest.raises(CheckpointError, match="4 tensors differ"):
        load_into(nn.Linear(3, 2), read_checkpoint(path), path)
