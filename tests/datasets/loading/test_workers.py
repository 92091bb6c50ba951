"""Reading processes that are lost or hang are told apart, however short the patience is."""

from __future__ import annotations

import os
import signal
from typing import Any

import pytest
import torch
from torch.utils.data import Dataset

from foveate.datasets.errors import LoadingError
from foveate.datasets.loading.workers import WatchedLoader

FAILING = 1


class Unreadable(Dataset[Any]):
    """The process that reads the second sample sends itself a signal."""

    def __init__(self, signal_number: int) -> None:
        self.signal_number = signal_number

    def __len__(self) -> int:
        return 4

    def where(self, index: int) -> str:
        return f"image{index}.png"

    def __getitem__(self, index: int) -> torch.Tensor:
        if index == FAILING:
            os.kill(os.getpid(), self.signal_number)
        return torch.zeros(1)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("sent", "words"), [(signal.SIGKILL, "a reading process was lost"), (signal.SIGSTOP, "no batch was read in 1 s")]
)
def test_a_lost_process_is_not_called_slow(sent: int, words: str) -> None:
    loader = WatchedLoader(Unreadable(sent), patience=1.0, batch_size=1, num_workers=1, collate_fn=torch.stack)
    with pytest.raises(LoadingError, match=words) as caught:
        list(loader)
    assert "image1.png" in str(caught.value)


@pytest.mark.slow
def test_readers_kept_between_epochs_may_be_lost_while_nothing_is_read() -> None:
    loader = WatchedLoader(
        Unreadable(0), patience=1.0, batch_size=1, num_workers=1, collate_fn=torch.stack, persistent_workers=True
    )
    assert len(list(loader)) == 4
    (process,) = loader._iterator._workers
    os.kill(process.pid, signal.SIGKILL)
    with pytest.raises(LoadingError, match=r"^a reading process was lost; if memory ran out"):
        list(loader)
