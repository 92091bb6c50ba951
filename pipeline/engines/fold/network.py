"""The folded copy of a network: the same result at evaluation, in fewer passes over memory."""

from __future__ import annotations

import copy

import torch
from jaxtyping import Float
from torch import Tensor, nn

from foveate.pipeline.engines.fold.branches import merge_branches
from foveate.pipeline.engines.fold.observing import find_pairs
from foveate.pipeline.models.layers import DropPath
from foveate.plugins.ops.affine import affine_of, can_fold, fold_after
from foveate.plugins.ops.folding import fold_offered
from foveate.plugins.ops.fused import FusedConv2d, can_fuse, name_activation

IDLE = (nn.Dropout, nn.Dropout2d, DropPath)
SMALL = 128  # pixels; the order of the modules does not depend on the image size
CAST = (nn.Conv2d, nn.Linear, FusedConv2d)  # modules whose weights autocast would cast in each call


def fold(network: nn.Module, image: Float[Tensor, "B C H W"]) -> nn.Module:
    """A copy for evaluation, with batch norms, scales and activations folded into the convolutions.

    The network itself is not changed. Modules that offer a folded form (see `Foldable`) are replaced by it, and
    branches that can be merged are (RepVGG's). For all others, one run of the network finds the convolutions whose
    output only a batch norm or an activation reads.

    Args:
        network: Any network; its current weights are copied.
        image: Images (B, C, H, W) of a size that it accepts.
    """
    folded = merge_branches(fold_offered(copy.deepcopy(network).eval().requires_grad_(False)))
    _replace(folded, {module: nn.Identity() for module in folded.modules() if isinstance(module, IDLE)})
    pairs = _observe(folded, image)
    norms = {norm: conv for conv, norm in pairs if can_fold(conv, norm)}
    for norm, conv in norms.items():
        fold_after(conv, affine_of(norm))  # type: ignore[arg-type]
    _replace(folded, {norm: nn.Identity() for norm in norms})
    _fuse_activations(folded, [(norms.get(maker, maker), reader) for maker, reader in pairs])
    return folded.to(memory_format=torch.channels_last)


def _observe(network: nn.Module, image: Tensor) -> list[tuple[nn.Module, nn.Module]]:
    """Run on a small corner of the image; on the whole image if the network does not accept the corner."""
    try:
        return find_pairs(network, image[:1, :, :SMALL, :SMALL])
    except (RuntimeError, ValueError, AssertionError):  # a network that accepts only one size
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
    """Replace modules, wherever they are in the network."""
    for parent in list(network.modules()):
        for name, child in list(parent.named_children()):
            if child in fresh:
                setattr(parent, name, fresh[child])


def cast_weights(network: nn.Module, dtype: torch.dtype) -> None:
    """Cast the weights that autocast would cast in each call; norms and bases of a factorisation stay float32."""
    for module in network.modules():
        if isinstance(module, CAST):
            for parameter in module.parameters(recurse=False):
                parameter.data = parameter.data.to(dtype)
