"""Stops a training before a step whose loss or gradients are not finite, or leaves such steps out."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import lightning.pytorch as L
import torch
from lightning.pytorch.callbacks import Callback
from torch.optim import Optimizer

from foveate.pipeline.callbacks.exact_resume import ExactResume
from foveate.pipeline.divergence.bundle import FOLDER, Bundle, plain_batch, write_bundle
from foveate.pipeline.divergence.naming import all_finite, gradient_norm, not_finite_gradient, watching
from foveate.pipeline.errors import DivergedError
from foveate.pipeline.processes.sharding import gathered
from foveate.pipeline.randomness import seed_all
from foveate.pipeline.runs.recipes import Recipe
from foveate.pipeline.text import few

ADVICE = "lower --model.optimizer.lr, set --trainer.gradient_clip_val, or train with --trainer.precision 32-true"


class FiniteGuard(Callback):
    """Look at the gradients before each optimiser step.

    If one of several processes has a loss that is not finite, its gradients become NaN. The mean of all processes'
    gradients is then NaN too, so they all stop before the same step.

    Args:
        run: The run directory, where a bundle for `foveate replay` is written.
        resume: Knows what the running statistics were before the step.
        skip: How many such steps are left out before the training ends.
        recipe: The recipe, with all defaults filled in.

    Attributes:
        norm: The norm of the gradients of the last step.
        skipped: Steps left out so far.
    """

    def __init__(self, run: Path, resume: ExactResume, recipe: Recipe, skip: int = 0) -> None:
        self.run = run
        self.resume = resume
        self.recipe = recipe
        self.skip = skip
        self.skipped = 0
        self.norm: float | None = None
        self._said: str | None = None  # of a loss of this process
        self._batch: Any = None
        self._batch_idx = 0

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint stores: how many steps were left out."""
        return {"skipped": self.skipped}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on counting."""
        self.skipped = int(state_dict.get("skipped", 0))

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Have the task tell of a loss that is not finite instead of raising at once."""
        pl_module.when_not_finite = self._note  # type: ignore[assignment]

    def on_train_batch_start(
        self, trainer: L.Trainer, pl_module: L.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Keep the batch until its step is done."""
        self._batch, self._batch_idx = batch, batch_idx

    def on_before_optimizer_step(self, trainer: L.Trainer, pl_module: L.LightningModule, optimizer: Optimizer) -> None:
        """Look at the gradients.

        Raises:
            DivergedError: One is not finite, and no more steps may be left out.
        """
        norm = gradient_norm(p for group in optimizer.param_groups for p in group["params"])
        said, self._said = self._said, None
        self.norm = float(norm)
        if all_finite(norm):
            return
        name = not_finite_gradient(pl_module)
        if name is None:  # large, but finite: the sum of squares alone is too large
            return
        said = first_said(trainer, said)
        if said is None and _has_scaler(trainer):
            return  # the scaler of mixed precision leaves this step out, and lowers its scale
        if self.skipped < self.skip:
            self._leave_out(trainer, optimizer, said or self._of_gradient(trainer, name))
            return
        raise DivergedError(self._explain(trainer, pl_module, said, name))

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Say how many steps were left out."""
        if self.skipped and trainer.is_global_zero:
            _say(f"{self.skipped} steps were left out, since a loss or gradients were not finite")

    def _note(self, message: str) -> None:
        self._said = message

    def _leave_out(self, trainer: L.Trainer, optimizer: Optimizer, message: str) -> None:
        """Change nothing in this step: parameters without a gradient are not updated."""
        self.skipped += 1
        optimizer.zero_grad(set_to_none=True)
        self.resume.restore()
        if trainer.is_global_zero:
            _say(f"{message}: step left out ({self.skipped} of at most {self.skip})")

    def _of_gradient(self, trainer: L.Trainer, name: str) -> str:
        return f"the gradient of {name} is not finite at step {trainer.global_step} ({self._where()})"

    def _where(self) -> str:
        paths = self._batch.get("path", []) if isinstance(self._batch, dict) else []
        return f"batch {self._batch_idx}, images {few(map(str, paths), 4)}" if paths else f"batch {self._batch_idx}"

    def _explain(self, trainer: L.Trainer, task: L.LightningModule, said: str | None, name: str) -> str:
        """The message: what, where, and the bundle that replays it."""
        message = said or self._of_gradient(trainer, name)
        place = self._find_origin(trainer, task)
        message += f"; first in {place}" if place else f"; first in the gradient of {name}" if said else ""
        if path := self._write_bundle(trainer, task, message):
            message += f"; replay it with: foveate replay {path}"
        return f"{message}; {ADVICE}"

    def _seeds(self, trainer: L.Trainer) -> tuple[int, ...]:
        return (self.resume.seed or 0, trainer.current_epoch, self._batch_idx, trainer.global_rank)

    def _find_origin(self, trainer: L.Trainer, task: L.LightningModule) -> str | None:
        """Run the forward pass of the batch again, and name the first module that gives values that are not finite."""
        compute = getattr(task, "compute_loss", None)
        if compute is None:
            return None
        try:
            self.resume.restore()
            seed_all(*self._seeds(trainer))
            with torch.no_grad(), trainer.precision_plugin.forward_context(), watching(task) as found:
                compute(self._batch)
        except Exception:  # the diagnosis must not hide what is diagnosed
            return None
        return found[0].place if found else None

    def _write_bundle(self, trainer: L.Trainer, task: L.LightningModule, message: str) -> Path | None:
        self.resume.restore()
        state = gathered(dict(task.state_dict()))  # by all processes, if they share the weights
        rank = f"-process-{trainer.global_rank}" if trainer.world_size > 1 else ""
        path = self.run / FOLDER / f"step-{trainer.global_step}{rank}.pt"
        try:
            bundle = Bundle(
                message=message,
                step=trainer.global_step,
                seeds=self._seeds(trainer),
                batch=plain_batch(self._batch),
                state=state,
                task=type(task).__name__,
                hparams=dict(task.hparams),
                recipe=self.recipe,
            )
            write_bundle(path, bundle)
        except (OSError, RuntimeError, TypeError, AttributeError):  # no room, or a batch of another form
            return None
        return path


def first_said(trainer: L.Trainer, said: str | None) -> str | None:
    """What the first process with a loss that is not finite says of it; None if the losses of all are finite.

    Args:
        trainer: The trainer.
        said: What this process says.
    """
    if trainer.world_size == 1:
        return said
    answers: list[str | None] = [None] * trainer.world_size
    torch.distributed.all_gather_object(answers, said)
    number = next((number for number, answer in enumerate(answers) if answer is not None), None)
    return None if number is None else f"process {number}: {answers[number]}"


def _has_scaler(trainer: L.Trainer) -> bool:
    return getattr(trainer.precision_plugin, "scaler", None) is not None


def _say(text: str) -> None:
    print(f"foveate: warning: {text}", file=sys.stderr, flush=True)
