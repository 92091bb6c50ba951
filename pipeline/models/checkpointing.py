"""Activation checkpointing: blocks keep their input only and are run again on the way back; less memory, more time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint

from foveate.pipeline.errors import ConfigError


def run_block(block: nn.Module, x: Tensor, *, again: bool) -> Tensor:
    """What a block makes of features; with `again` what lies inside is not kept for the way back but made anew.

    Random numbers are the same both times, and batch norms count the batch once.
    """
    if not again or not torch.is_grad_enabled():
        out: Tensor = block(x)
        return out
    again_out: Tensor = checkpoint(
        block, x, use_reentrant=False, context_fn=lambda: (nullcontext(), _statistics_kept(block))
    )
    return again_out


@contextmanager
def _statistics_kept(block: nn.Module) -> Iterator[None]:
    """Batch norms normalise by the batch, but do not remember it a second time."""
    norms = [module for module in block.modules() if isinstance(module, _BatchNorm)]
    before = [(norm.momentum, norm.num_batches_tracked) for norm in norms]
    for norm in norms:
        norm.momentum, norm.num_batches_tracked = 0.0, None
    try:
        yield
    finally:
        for norm, (momentum, count) in zip(norms, before, strict=True):
            norm.momentum, norm.num_batches_tracked = momentum, count


def checkpoint_activations(network: nn.Module) -> None:
    """Let the encoders of a network run their blocks again on the way back: ours, and timm's that can.

    Raises:
        ConfigError: None of them can.
    """
    found = False
    for module in network.modules():
        if hasattr(type(module), "checkpointing"):
            module.checkpointing = True  # type: ignore[assignment]
            found = True
        elif callable(change := getattr(module, "set_grad_checkpointing", None)):
            try:
                change(True)
                found = True
            except (AssertionError, NotImplementedError):  # timm's way to say that this one cannot
                continue
    if not found:
        raise ConfigError(
            "activation checkpointing: no part of this network can run its blocks again; MSCAN, VAN, ViT, MobileNetV2 "
            "and most of timm's can (leave out model.activation_checkpointing)"
        )
