"""Engines in PyTorch: the network as it is, folded, or compiled."""

from __future__ import annotations

import logging

import torch
from jaxtyping import Float
from torch import Tensor, nn

from foveate.pipeline.engines.engine import Core, Engine, Precision, Run, autocast
from foveate.pipeline.engines.fold.network import cast_weights, fold
from foveate.pipeline.models.compiling import require_compiler

log = logging.getLogger(__name__)


def create_torch(network: nn.Module, image: Float[Tensor, "B C H W"], precision: Precision) -> Engine:
    """The network as it is; for bfloat16, it runs in autocast."""
    core = Core(network.eval()).eval()
    return Engine("torch", _runner(core, precision), core.coarse)


def create_folded(network: nn.Module, image: Float[Tensor, "B C H W"], precision: Precision) -> Engine:
    """A folded copy; for bfloat16, its weights are cast once."""
    core = fold_core(network, image, precision)
    return Engine("folded", _runner(core, precision), core.coarse)


def create_compiled(network: nn.Module, image: Float[Tensor, "B C H W"], precision: Precision) -> Engine:
    """The folded copy through torch.compile; the first image of each size takes minutes.

    Raises:
        ConfigError: There is no C++ compiler.
    """
    require_compiler(image.device, "use --engine folded")
    core = fold_core(network, image, precision)
    log.warning("engine compile: the first image of each size takes a minute or more")
    core.compile(dynamic=False)
    return Engine("compile", _runner(core, precision), core.coarse, "recompiled for each image size")


def fold_core(network: nn.Module, image: Float[Tensor, "B C H W"], precision: Precision) -> Core:
    """A folded copy of a network, without the upsampling at its end."""
    core = Core(fold(network.eval(), image)).eval()
    if precision == "bfloat16":
        cast_weights(core, torch.bfloat16)
    return core


def _runner(core: Core, precision: Precision) -> Run:
    def run(image: Tensor) -> Tensor:
        with autocast(image.device, precision):
            logits: Tensor = core(image.contiguous(memory_format=torch.channels_last))
        return logits.float().contiguous() if core.coarse else logits  # bfloat16 would round the interpolated logits

    return run
