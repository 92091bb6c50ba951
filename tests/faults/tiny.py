"""A network of 5 000 parameters in which much is random, and the faults that befall its training."""

from __future__ import annotations

import hashlib
import os
import random
import signal
import time
from pathlib import Path
from typing import Any

import lightning.pytorch as L
import numpy as np
import torch
from lightning.pytorch.callbacks import Callback
from torch import nn

from foveate.plugins import Decoder, Encoder, hookimpl


class Noisy(nn.Module):
    """Two convolutions with batch norm, dropout, drop path, and noise of NumPy and, if asked, of Python.

    Beartype, which checks calls in tests, draws from Python's generator too, and more in a process's first step.
    """

    channels, strides = (16, 24), (2, 4)

    def __init__(self, in_channels: int, python_noise: bool = False) -> None:
        super().__init__()
        self.python_noise = python_noise
        self.first = nn.Sequential(nn.Conv2d(in_channels, 16, 3, 2, 1), nn.BatchNorm2d(16), nn.ReLU(), nn.Dropout(0.2))
        self.second = nn.Sequential(nn.Conv2d(16, 24, 3, 2, 1), nn.BatchNorm2d(24), nn.ReLU())
        self.third = nn.Conv2d(24, 24, 1)

    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        fine = self.first(image)
        coarse = self.second(fine)
        if not self.training:
            return fine, coarse + self.third(coarse)
        kept = (torch.rand(len(image), 1, 1, 1) > 0.3).to(image.dtype) / 0.7
        scale = 1 + 0.1 * float(np.random.standard_normal())  # noqa: NPY002
        if self.python_noise:
            scale += 0.1 * random.random()
        return fine, coarse + kept * scale * self.third(coarse)


class Linear(nn.Module):
    """A 1 x 1 convolution of the coarsest feature map."""

    def __init__(self, channels: int, stride: int, num_classes: int) -> None:
        super().__init__()
        self.stride = stride
        self.classify = nn.Conv2d(channels, num_classes, 1)

    def forward(self, features: Any) -> torch.Tensor:
        return self.classify(features[-1])


@hookimpl
def foveate_encoders():
    def build(name, *, in_channels=3, attention=None, **options):
        return Noisy(in_channels, **options)

    yield Encoder(name="noisy", summary="Random", build=build)


@hookimpl
def foveate_decoders():
    def build(name, *, in_channels, strides, num_classes, attention=None):
        return Linear(in_channels[-1], strides[-1], num_classes)

    yield Decoder(name="line", summary="A 1 x 1 convolution", build=build)


class Record(Callback):
    """Append each step's loss to a file, exactly, and at the end a hash of the weights.

    Args:
        path: The file.
    """

    def __init__(self, path: str) -> None:
        self.path = Path(path)

    def on_train_batch_end(self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, *args: Any) -> None:
        self._append(trainer, f"{trainer.global_step} {float(outputs['loss']).hex()}")

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if not trainer.sanity_checking:
            self._append(trainer, f"val {trainer.global_step} {float(trainer.callback_metrics['val/loss']).hex()}")

    def on_fit_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._append(trainer, f"weights {fingerprint(trainer.strategy.lightning_module_state_dict())}")

    def _append(self, trainer: L.Trainer, line: str) -> None:
        if trainer.is_global_zero:
            with self.path.open("a") as file:
                file.write(f"{line}\n")


def fingerprint(state: dict[str, torch.Tensor]) -> str:
    """A hash of all tensors, by name."""
    digest = hashlib.sha256()
    for name in sorted(state):
        values = state[name].detach().cpu().flatten().view(torch.uint8)  # NumPy has no bfloat16
        digest.update(name.encode() + values.numpy().tobytes())
    return digest.hexdigest()


class Fault(Callback):
    """Let something happen at a moment of a training.

    Args:
        kind: SIGTERM and other signals to this process, group:SIGTERM to its group, raise, nan_loss (once), nan_module
            (from then on), nan_gradient, nan_weight, stop_worker, kill_worker, stop_wandb and kill_wandb (the process
            that W&B starts), slow.
        step: Optimiser steps before it.
        moment: fetched, forward, backward, end, or val.
        rank: In which process.
        times: How often, at one step after the other.
        batch: Of a validation, the first batch before which it happens.
        seconds: How long `slow` lasts.
    """

    def __init__(
        self,
        kind: str,
        step: int = 3,
        moment: str = "fetched",
        rank: int = 0,
        times: int = 1,
        batch: int = 0,
        seconds: float = 2.0,
    ) -> None:
        self.kind, self.step, self.moment, self.rank, self.times, self.batch = kind, step, moment, rank, times, batch
        self.seconds = seconds
        self._done = 0

    def on_train_batch_start(
        self, trainer: L.Trainer, pl_module: L.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        self._happen("fetched", trainer, pl_module, batch)

    def on_before_backward(self, trainer: L.Trainer, pl_module: L.LightningModule, loss: torch.Tensor) -> None:
        self._happen("forward", trainer, pl_module)

    def on_after_backward(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._happen("backward", trainer, pl_module)

    def on_train_batch_end(self, trainer: L.Trainer, pl_module: L.LightningModule, *args: Any) -> None:
        self._happen("end", trainer, pl_module)

    def on_validation_batch_start(self, trainer: L.Trainer, pl_module: L.LightningModule, *args: Any) -> None:
        if not trainer.sanity_checking and args[1] >= self.batch:
            self._happen("val", trainer, pl_module)

    def _happen(self, moment: str, trainer: L.Trainer, task: L.LightningModule, batch: Any = None) -> None:
        if moment != self.moment or trainer.global_rank != self.rank or self._done >= self.times:
            return
        if trainer.global_step < self.step:
            return
        self._done += 1
        if self.kind == "raise":
            raise ValueError(f"planted in process {self.rank} at step {trainer.global_step}")
        if self.kind == "nan_loss":
            task.network.decoder.classify.register_forward_hook(_once_nan)
        elif self.kind == "nan_module":
            task.network.decoder.classify.register_forward_hook(lambda module, inputs, output: output * float("nan"))
        elif self.kind == "nan_gradient":
            next(task.network.decoder.parameters()).grad.fill_(float("nan"))
        elif self.kind == "nan_weight":
            with torch.no_grad():
                next(task.network.decoder.parameters()).fill_(float("nan"))
        elif self.kind == "slow":
            time.sleep(self.seconds)
        elif self.kind in ("stop_worker", "kill_worker"):
            import multiprocessing

            for child in multiprocessing.active_children():
                os.kill(child.pid or 0, signal.SIGSTOP if self.kind == "stop_worker" else signal.SIGKILL)
        elif self.kind in ("stop_wandb", "kill_wandb"):
            (number,) = children_running("wandb-core")
            os.kill(number, signal.SIGSTOP if self.kind == "stop_wandb" else signal.SIGKILL)
        elif self.kind.startswith("group:"):
            os.killpg(os.getpgrp(), getattr(signal, self.kind.removeprefix("group:")))
        else:
            os.kill(os.getpid(), getattr(signal, self.kind))


def children_running(word: str) -> list[int]:
    """The children of this process whose command line holds a word."""
    own = Path(f"/proc/{os.getpid()}/task").glob("*/children")
    children = {int(child) for listed in own for child in listed.read_text().split()}
    return [child for child in children if word.encode() in Path(f"/proc/{child}/cmdline").read_bytes()]


def _once_nan(module: nn.Module, inputs: Any, output: torch.Tensor) -> torch.Tensor:
    module._forward_hooks.clear()
    return output * float("nan")


class Shares(Callback):
    """Write how many numbers the first process holds: of the weights, of the optimiser's state, and of all weights.

    Args:
        path: The file.
    """

    def __init__(self, path: str) -> None:
        self.path = Path(path)

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        weights = list(pl_module.network.parameters())
        state = [value for values in trainer.optimizers[0].state.values() for value in values.values()]
        mine = [sum(held(tensor) for tensor in tensors) for tensors in (weights, state)]
        if trainer.is_global_zero:
            self.path.write_text(f"{mine[0]} {mine[1]} {sum(weight.numel() for weight in weights)}")


def held(tensor: torch.Tensor) -> int:
    """Numbers of a tensor that this process holds."""
    return tensor.to_local().numel() if hasattr(tensor, "to_local") else tensor.numel()
