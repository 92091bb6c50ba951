"""Writes checkpoints atomically: a kill or a full disk leaves the previous one intact."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.plugins.io import TorchCheckpointIO

from foveate.pipeline.files import replacing
from foveate.pipeline.runs.directories import CHECKPOINTS


class AtomicCheckpointIO(TorchCheckpointIO):
    """Write a temporary file beside the target, flush it to the disk, then rename it.

    Lightning's own writer goes through the system's temporary folder; where that is another file system, a kill while
    it copies leaves half a checkpoint under the final name.
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None) -> None:
        """Replace the file at `path`; on an error, leave it unchanged and raise."""
        with replacing(Path(path)) as draft, draft.open("wb") as file:
            torch.save(checkpoint, file)

    def load_checkpoint(self, path: str | Path, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Read a checkpoint; if its run was moved, update paths so that the best score so far is kept.

        Args:
            path: The file.
            args: See Lightning's TorchCheckpointIO.
            kwargs: Likewise.
        """
        checkpoint: dict[str, Any] = super().load_checkpoint(path, *args, **kwargs)
        for state in (checkpoint.get("callbacks") or {}).values():
            folders = Path(str(state.get("dirpath"))), Path(path).absolute().parent
            if all(folder.name == CHECKPOINTS for folder in folders):
                _bring_home(state, folders[1])
        return checkpoint


def _bring_home(state: dict[str, Any], folder: Path) -> None:
    """Change the paths in a checkpoint callback's state to the folder in which the checkpoint lies now."""
    before = str(state["dirpath"])
    for key, value in state.items():
        if isinstance(value, str) and value.startswith(before):
            state[key] = str(folder / value.removeprefix(before).lstrip("/\\"))
    kept = state.get("best_k_models") or {}
    state["best_k_models"] = {str(folder / Path(path).name): score for path, score in kept.items()}
