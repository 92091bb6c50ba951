"""Tokens of a vision transformer as feature maps, and the rollout of its attention."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

Size = tuple[int, int]


def grid_of(network: nn.Module, size: Size) -> Size | None:
    """Rows and columns of patches for an image; None if the network has no module `patch_embed` with a patch size.

    Args:
        network: The network.
        size: Height and width of the image.
    """
    for module in network.modules():
        patch: Any = getattr(getattr(module, "patch_embed", None), "patch_size", None)
        if patch is not None:
            tall, wide = (patch, patch) if isinstance(patch, int) else tuple(patch)
            return -(-size[0] // tall), -(-size[1] // wide)
    return None


def patches_of(tokens: Float[Tensor, "B N D"], grid: Size) -> Float[Tensor, "B D h w"]:
    """The feature map of the patches, which are the last tokens.

    Args:
        tokens: All tokens; a class token and others come first.
        grid: Rows and columns of patches.
    """
    patches = tokens[:, tokens.shape[1] - grid[0] * grid[1] :]
    return patches.mT.reshape(tokens.shape[0], tokens.shape[2], *grid)


def attention_rollout(layers: Sequence[Float[Tensor, "H N N"]]) -> Float[Tensor, "N N"]:
    """How much each token after the last layer draws from each token before the first; rows sum to 1.

    The mean over the heads of each layer is averaged with the identity, which stands for the residual connection, and
    the layers are multiplied.

    Args:
        layers: Attention of each layer, first to last; rows are the readers.

    Source:
        Abnar and Zuidema 2020, Quantifying Attention Flow in Transformers, section 3 (arXiv:2005.00928).
    """
    total = torch.eye(layers[0].shape[-1], dtype=torch.float64)
    for attention in layers:
        mean = attention.double().mean(0)
        mixed = (mean + torch.eye(len(mean), dtype=torch.float64)) / 2
        total = (mixed / mixed.sum(-1, keepdim=True)) @ total
    return total
