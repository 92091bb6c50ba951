"""What libraries warn of at every start, and nobody has to act on."""

from __future__ import annotations

import warnings

import lightning as L
import pytest
from lightning.pytorch.accelerators import CUDAAccelerator

from foveate.pipeline.training.lightning_cli import quiet


def test_nothing_is_said_of_a_gpu_where_the_cpu_was_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CUDAAccelerator, "is_available", staticmethod(lambda: True))
    words = {"accelerator": "cpu", "devices": 1, "logger": False, "enable_checkpointing": False}
    with pytest.warns(match="GPU available but not used"):
        L.Trainer(**words)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        quiet()
        L.Trainer(**words)
