"""Writes checkpoints so that a kill, a full disk or a divergence leaves the previous one intact."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from lightning.pytorch.plugins.io import TorchCheckpointIO

from foveate.pipeline.errors import DivergedError
from foveate.pipeline.runs.directories import CHECKPOINTS
from foveate.pipeline.runs.store import storing
from foveate.pipeline.text import first_line

WRITER = re.compile(r"unexpected pos|PytorchStreamWriter|file write failed|No space left")


class AtomicCheckpointIO(TorchCheckpointIO):
    """Write a temporary file beside the target, flush it to the disk, then rename it.

    Lightning's own writer goes through the system's temporary folder; where that is another file system, a kill while
    it copies leaves half a checkpoint under the final name.
    """

    _was_read_back = False

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None) -> None:
        """Replace the file at `path`; on an error, leave it unchanged and raise.

        Args:
            checkpoint: The content.
            path: The file.
            storage_options: Not used.

        Raises:
            DivergedError: Weights are not finite.
            OSError: It cannot be written.
        """
        step = int(checkpoint.get("global_step", 0))
        check_finite(checkpoint, step)
        with storing(Path(path), step) as draft:
            with naming_full_disks(Path(path)), draft.open("wb") as file:
                torch.save(checkpoint, file)
            if not self._was_read_back:  # the content has the same types the next time
                check_plain(draft)
                self._was_read_back = True

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


def check_plain(path: Path) -> None:
    """Check that a checkpoint can be read back without running code.

    Args:
        path: The file.

    Raises:
        TypeError: It holds an object that is no plain value, such as a path or a class of a library.
    """
    try:
        torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except UnpicklingError as error:
        culprit = re.search(r"GLOBAL (\S+)", str(error))
        what = culprit[1] if culprit else first_line(error)
        raise TypeError(
            f"the checkpoint could not be read back: it holds {what}; save plain values and tensors"
        ) from error


def check_finite(checkpoint: Mapping[str, Any], step: int) -> None:
    """Check that every weight of a checkpoint is a finite number.

    Args:
        checkpoint: The content.
        step: Its step, for the message.

    Raises:
        DivergedError: One is infinite or NaN; the message names its tensor.
    """
    for state in (checkpoint.get("current_model_state"), checkpoint.get("state_dict")):
        if name := first_not_finite(state or {}):
            raise DivergedError(
                f"{name} holds values that are not finite after step {step}: these weights are not saved; lower "
                "--model.optimizer.lr, or set --trainer.gradient_clip_val"
            )


def first_not_finite(tensors: Mapping[str, Any]) -> str | None:
    """The name of the first tensor that holds an infinite value or NaN; None if all are finite.

    Args:
        tensors: By their names; what is no tensor of floating-point numbers is passed over.
    """
    for name, tensor in tensors.items():
        if isinstance(tensor, torch.Tensor) and tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            return str(name)
    return None


@contextmanager
def naming_full_disks(path: Path) -> Iterator[None]:
    """Turn torch's error of a file that could not be written completely into the system's.

    Its writer says "unexpected pos" where the disk is full.

    Args:
        path: The file.

    Raises:
        OSError: It could not be written.
    """
    try:
        yield
    except RuntimeError as error:
        causes = (error.__cause__, error.__context__)
        cause = next((each for each in causes if isinstance(each, OSError)), None)
        if cause is None and not WRITER.search(str(error)):
            raise
        number = cause.errno if cause is not None and cause.errno else errno.ENOSPC
        raise OSError(number, os.strerror(number), str(path)) from error


def _bring_home(state: dict[str, Any], folder: Path) -> None:
    """Change the paths in a checkpoint callback's state to the folder in which the checkpoint lies now."""
    before = str(state["dirpath"])
    for key, value in state.items():
        if isinstance(value, str) and value.startswith(before):
            state[key] = str(folder / value.removeprefix(before).lstrip("/\\"))
    kept = state.get("best_k_models") or {}
    state["best_k_models"] = {str(folder / Path(path).name): score for path, score in kept.items()}
