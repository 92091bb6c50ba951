"""A checkpoint is replaced whole or not at all."""

from __future__ import annotations

from pathlib import Path
from typing import Any, BinaryIO

import pytest
import torch

from foveate.pipeline.runs.checkpoint_io import AtomicCheckpointIO
from foveate.pipeline.runs.integrity import fault_of


def test_a_checkpoint_is_written_and_replaced(tmp_path: Path) -> None:
    path = tmp_path / "new" / "last.ckpt"
    for step in (1, 2):
        AtomicCheckpointIO().save_checkpoint({"global_step": step}, path)
    assert torch.load(path, weights_only=True) == {"global_step": 2}
    assert torch.load(path.with_name("previous.ckpt"), weights_only=True) == {"global_step": 1}
    assert {file.name for file in path.parent.iterdir()} == {"last.ckpt", "previous.ckpt", "manifest.json"}


def test_a_full_disk_leaves_the_one_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "last.ckpt"
    AtomicCheckpointIO().save_checkpoint({"step": 1}, path)

    def fills_up(_: Any, file: BinaryIO) -> None:
        file.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", fills_up)
    with pytest.raises(OSError, match="No space left"):
        AtomicCheckpointIO().save_checkpoint({"step": 2}, path)
    monkeypatch.undo()
    assert torch.load(path, weights_only=True) == {"step": 1}
    assert {file.name for file in tmp_path.iterdir()} == {"last.ckpt", "manifest.json"}
    assert fault_of(path) is None
