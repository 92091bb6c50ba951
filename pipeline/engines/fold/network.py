"""A network that does at evaluation exactly what another does, in fewer passes over memory."""

from __future__ import annotations

import copy

import torch
from jaxtyping import Float
from torch import Tensor, nn

from foveate.pipeline.engines.fold.affine import affine_of, can_fold, fold_after
from foveate.pipeline.engines.fold.fused import FusedConv2d, can_fuse, name_activation
from foveate.pipeline.engines.fold.mscan import FoldedBlock
from foveate.pipeline.engines.fold.observing import find_pairs
from foveate.pipeline.models.layers import DropPath
from foveate.pipeline.models.mscan import Block

IDLE = (nn.Dropout, nn.Dropout2d, DropPath)
SMALL = 128  # pixels; what follows what does not depend on the size
CAST = (nn.Conv2d, nn.Linear, FusedConv2d, FoldedBlock)  # where autocast would cast weights in each call


def fold(network: nn.Module, image: Float[Tensor, "B C H W"]) -> nn.Module:
    """A copy for evaluation with batch norms, scales and activations inside the convolutions; the network stays.

    Blocks of a family that is known are replaced as a whole. Everywhere else, plugins included, one run shows which
    batch norm and which activation alone follows which convolution.

    Args:
        network: Any network; its weights are taken as they are now.
        image: One that it takes.
    """
    folded = copy.deepcopy(network).eval().requires_grad_(False)
    _replace_families(folded)
    _replace(folded, {module: nn.Identity() for module in folded.modules() if isinstance(module, IDLE)})
    pairs = _observe(folded, image)
    norms = {norm: conv for conv, norm in pairs if can_fold(conv, norm)}
    for norm, conv in norms.items():
        fold_after(conv, affine_of(norm))  # type: ignore[arg-type]
    _replace(folded, {norm: nn.Identity() for norm in norms})
    _fuse_activations(folded, [(norms.get(maker, maker), reader) for maker, reader in pairs])
    return folded.to(memory_format=torch.channels_last)


def _replace_families(network: nn.Module) -> None:
    _replace(network, {module: FoldedBlock(module) for module in network.modules() if type(module) is Block})


def _observe(network: nn.Module, image: Tensor) -> list[tuple[nn.Module, nn.Module]]:
    """On a small corner if the network takes it, or else on the whole image."""
    try:
        return find_pairs(network, image[:1, :, :SMALL, :SMALL])
    except (RuntimeError, ValueError, AssertionError):  # a network of one size
        return find_pairs(network, image[:1])


def _fuse_activations(network: nn.Module, pairs: list[tuple[nn.Module, nn.Module]]) -> None:
    fresh: dict[nn.Module, nn.Module] = {}
    for conv, reader in pairs:
        activation = name_activation(reader)
        if activation is not None and can_fuse(conv):
            assert isinstance(conv, nn.Conv2d)
            fresh |= {conv: FusedConv2d(conv, activation), reader: nn.Identity()}
    _replace(network, fresh)


def _replace(network: nn.Module, fresh: dict[nn.Module, nn.Module]) -> None:
    """Put other modules where these are."""
    for parent in list(network.modules()):
        for name, child in list(parent.named_children()):
            if child in fresh:
                setattr(parent, name, fresh[child])


def cast_weights(network: nn.Module, dtype: torch.dtype) -> None:
    """Cast once what autocast would in each call; norms and the bases of a factorisation stay float32."""
    for module in network.modules():
        if isinstance(module, CAST):
            for parameter in module.parameters(recurse=False):
                parameter.data = parameter.data.to(dtype)
