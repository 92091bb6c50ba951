"""Makes a resumed training equal the uninterrupted one, bit for bit.

Two ideas. First, what a training step draws at random depends on the seed, the epoch, the batch and the process alone,
since the generators are seeded at each step. So no state of a generator can be lost, and a validation between two steps
changes nothing. Second, a checkpoint holds the state after a whole optimiser step: if one is written in the middle of a
step, or while gradients are accumulated, the batches of the unfinished step are read again when the training goes on.
"""

from __future__ import annotations

import os
import random
from typing import Any

import lightning.pytorch as L
import torch
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.plugins.precision import DoublePrecision
from lightning.pytorch.trainer.states import TrainerStatus
from torch import Tensor, nn

from foveate.pipeline.randomness import seed_all

KEY = "foveate_randomness"
DRAWN = 2**31  # seeds that are drawn for runs without one are below
Loops = dict[str, Any]


class ExactResume(Callback):
    """Seed the generators at each step, and save whole steps only.

    Args:
        seed: Decides what training steps draw at random; the run's seed if not given. A resumed training keeps its own.
    """

    def __init__(self, seed: int | None = None) -> None:
        self.seed = seed
        self._buffers: dict[str, Tensor] = {}
        self._kept: dict[str, Tensor] = {}  # their values when the open optimiser step began

    def setup(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        """Take the run's seed, or draw one that all processes share; convert the weights to float64 if that is trained.

        Lightning converts them after it has loaded those of a checkpoint, which then were rounded to float32.
        """
        if isinstance(trainer.precision_plugin, DoublePrecision):
            trainer.precision_plugin.convert_module(pl_module)
        if self.seed is None:
            given = os.environ.get("PL_GLOBAL_SEED")
            drawn = int(given) if given else random.SystemRandom().randrange(DRAWN)
            self.seed = int(trainer.strategy.broadcast(drawn))

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Find what forward passes change besides the weights: running statistics of batch norm, and the like."""
        forget_unfinished(trainer)
        self._buffers = stored_buffers(pl_module)
        self._kept = {name: buffer.clone() for name, buffer in self._buffers.items()}

    def on_train_batch_start(
        self, trainer: L.Trainer, pl_module: L.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Seed the generators; at the first batch of an optimiser step, keep what forward passes will change."""
        seed_all(self.seed or 0, trainer.current_epoch, batch_idx, trainer.global_rank)
        if not open_batches(trainer):
            copy_all(self._buffers, self._kept)

    def restore(self) -> None:
        """Set running statistics back to what they were when the open optimiser step began."""
        copy_all(self._kept, self._buffers)

    def on_save_checkpoint(self, trainer: L.Trainer, pl_module: L.LightningModule, checkpoint: dict[str, Any]) -> None:
        """Save the state after the last whole optimiser step."""
        checkpoint[KEY] = {"seed": self.seed}
        loops: Loops = checkpoint["loops"]["fit_loop"]
        progress: Any = trainer.fit_loop.epoch_loop.batch_progress.current  # typed as a class that counts less
        if open_batches(trainer) or progress.started > progress.processed:
            checkpoint["state_dict"] |= {name: kept.clone() for name, kept in self._kept.items()}
        rewind(trainer, loops)
        if trainer.validating and not trainer.sanity_checking and trainer.state.status == TrainerStatus.INTERRUPTED:
            repeat_validation(loops)

    def on_load_checkpoint(self, trainer: L.Trainer, pl_module: L.LightningModule, checkpoint: dict[str, Any]) -> None:
        """Take the seed of the training that goes on."""
        self.seed = checkpoint.get(KEY, {}).get("seed", self.seed)


def stored_buffers(module: nn.Module) -> dict[str, Tensor]:
    """The buffers of a module that its checkpoints hold.

    Args:
        module: Any module.
    """
    stored = module.state_dict(keep_vars=True)
    return {name: buffer for name, buffer in module.named_buffers() if name in stored}


def copy_all(source: dict[str, Tensor], target: dict[str, Tensor]) -> None:
    """Copy tensors to those of the same names, with few calls.

    Args:
        source: What is copied.
        target: Where to, on the same devices.
    """
    with torch.no_grad():
        for dtype in {tensor.dtype for tensor in source.values()}:
            names = [name for name, tensor in source.items() if tensor.dtype == dtype]
            torch._foreach_copy_([target[name] for name in names], [source[name] for name in names])


def open_batches(trainer: L.Trainer) -> int:
    """How many batches were read whose gradients were accumulated, but not applied.

    Args:
        trainer: The trainer, in a training.
    """
    progress: Any = trainer.fit_loop.epoch_loop.batch_progress.current  # typed as a class that counts less
    done = int(progress.processed)
    is_end = done >= trainer.num_training_batches  # the last optimiser step of an epoch may have fewer batches
    return 0 if is_end else done % max(1, trainer.accumulate_grad_batches)


def rewind(trainer: L.Trainer, loops: Loops) -> None:
    """Change the saved state of the loops to that after the last whole optimiser step.

    Lightning adds a step to the logged number when it goes on from an interrupted step. That is right for what it saves
    itself, after a batch or a validation; where a batch was only read, the number is complete already.

    Args:
        trainer: The trainer.
        loops: The state of the fit loop in a checkpoint, changed in place.
    """
    progress, counted = loops["epoch_loop.batch_progress"], loops["epoch_loop.state_dict"]
    current = progress["current"]
    if steps := open_batches(trainer):
        done = current["processed"] - steps
        _begin_batch(progress, done)
        progress["is_last_batch"] = False
    elif trainer.training and current["processed"] == current["completed"] < trainer.num_training_batches:
        interrupted = trainer.state.status == TrainerStatus.INTERRUPTED
        if interrupted or current["ready"] > current["processed"]:
            _begin_batch(progress, current["processed"])
            following = current["processed"] + 1
            if following % max(1, trainer.accumulate_grad_batches) == 0 or following >= trainer.num_training_batches:
                counted["_batches_that_stepped"] -= 1


def forget_unfinished(trainer: L.Trainer) -> None:
    """Leave a batch that was not finished before the training went on out of the total count of batches.

    Lightning corrects the count of the epoch only. By the total it decides when to validate.

    Args:
        trainer: The trainer, whose state was restored.
    """
    loop = trainer.fit_loop.epoch_loop
    total: Any = loop.batch_progress.total
    if loop.restarting and not loop.restarted_on_train_batch_end:
        total.ready = total.started = total.processed = total.completed


def _begin_batch(progress: dict[str, Any], done: int) -> None:
    """Counters at the moment when a batch was read after so many of the epoch."""
    shift = progress["current"]["processed"] - done
    for counts in (progress["current"], progress["total"]):
        finished = counts["processed"] - shift
        counts.update(ready=finished + 1, started=finished, processed=finished, completed=finished)


def repeat_validation(loops: Loops) -> None:
    """Change the saved state of the loops so that the validation that was interrupted begins again.

    Args:
        loops: The state of the fit loop in a checkpoint, changed in place.
    """
    counts = loops["epoch_loop.val_loop.batch_progress"]
    for part in (counts["current"], counts["total"]):
        part.update(ready=1, started=1, processed=0, completed=0)
    counts["is_last_batch"] = False
