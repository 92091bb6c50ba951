"""Writes checkpoints so that a kill or a full disk never damages the previous one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.plugins.io import TorchCheckpointIO

from foveate.pipeline.files import replacing


class AtomicCheckpointIO(TorchCheckpointIO):
    """Write a draft beside the target, flush it to the disk, then rename it.

    Lightning's own writer goes through the system's temporary folder; where that is another file system, a kill while
    it copies leaves half a checkpoint under the final name.
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None) -> None:
        """Replace the file at `path`, or leave it as it was and raise."""
        with replacing(Path(path)) as draft, draft.open("wb") as file:
            torch.save(checkpoint, file)
