"""Activation checkpointing: blocks keep their input only and are recomputed in the backward pass.

It takes less memory and more time.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint

from foveate.pipeline.errors import ConfigError


def run_block(block: nn.Module, x: Tensor, *, recompute: bool) -> Tensor:
    """The output of a block, whose inner activations may be recomputed in the backward pass instead of being kept.

    The recomputation draws the same random numbers, and batch norms count the batch once.

    Args:
        block: What is run.
        x: Its input, of any shape.
        recompute: Keep the input only. Without gradients nothing is kept in any case.
    """
    if not recompute or not torch.is_grad_enabled():
        out: Tensor = block(x)
        return out
    if torch.compiler.is_compiling():  # a compiled graph updates statistics once, whatever it recomputes
        compiled: Tensor = checkpoint(block, x, use_reentrant=False)
        return compiled
    recomputed: Tensor = checkpoint(
        block, x, use_reentrant=False, context_fn=lambda: (nullcontext(), _statistics_kept(block))
    )
    return recomputed


@contextmanager
def _statistics_kept(block: nn.Module) -> Iterator[None]:
    """Batch norms normalise by the batch, but do not update their statistics a second time."""
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
    """Let the encoders of a network recompute their blocks in the backward pass: ours, and those of timm that can.

    Args:
        network: Changed in place.

    Raises:
        ConfigError: No part of the network can.
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
            "activation checkpointing: no part of this network can recompute its blocks; MSCAN, VAN, ViT, MobileNetV2 "
            "and most of timm's can (leave out model.activation_checkpointing)"
        )
