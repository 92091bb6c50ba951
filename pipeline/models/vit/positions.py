"""Patches of an image, and their learned positions."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

Size = tuple[int, int]


class PatchEmbed(nn.Module):
    """One vector for each patch; the image is padded with zeros to whole patches, below and on the right.

    Args:
        in_channels: Channels of the image.
        channels: Width D of the tokens.
        patch_size: Side of a patch in pixels.
    """

    def __init__(self, in_channels: int, channels: int, patch_size: int) -> None:
        super().__init__()
        self.patch_size = patch_size
        self.proj = nn.Conv2d(in_channels, channels, patch_size, stride=patch_size)

    def forward(self, image: Float[Tensor, "B I H W"]) -> Float[Tensor, "B D h w"]:
        below, beside = (-side % self.patch_size for side in image.shape[2:])
        if below or beside:
            image = F.pad(image, (0, beside, 0, below))
        patches: Tensor = self.proj(image)
        return patches


def wave_positions(grid: Size, channels: int) -> Float[Tensor, "1 N D"]:
    """Sines and cosines of each patch's row and column, after zeros for the class token.

    Args:
        grid: Rows and columns of patches.
        channels: Width D of the tokens, a multiple of 4.

    Source:
        Beyer et al. 2022, Better plain ViT baselines (arXiv:2205.01580), after Vaswani et al. 2017 (arXiv:1706.03762).
    """
    quarter = channels // 4
    rates = 10_000.0 ** -(torch.arange(quarter) / quarter)
    rows, columns = (torch.arange(side)[:, None] * rates for side in grid)
    waves = [
        part[:, None].expand(*grid, quarter) if along_rows else part[None].expand(*grid, quarter)
        for angles, along_rows in ((rows, True), (columns, False))
        for part in (angles.sin(), angles.cos())
    ]
    patches = torch.cat(waves, dim=2).flatten(0, 1)
    return torch.cat([torch.zeros(1, channels), patches])[None]


def resize_positions(positions: Float[Tensor, "1 N D"], old: Size, new: Size) -> Float[Tensor, "1 M D"]:
    """Resample the positions of a grid, after that of the class token, which stays.

    Bicubic with antialiasing, in float32, as timm does, so that published weights give the numbers they were
    published with.

    Args:
        positions: One for the class token, then one for each position of the old grid, row by row.
        old: Rows and columns of the grid they were made for.
        new: Rows and columns wanted.
    """
    if old == new:
        return positions
    token, patches = positions[:, :1], positions[:, 1:]
    grid = patches.float().mT.reshape(1, -1, *old)
    resized = F.interpolate(grid, size=new, mode="bicubic", align_corners=False, antialias=True)
    return torch.cat([token, resized.flatten(2).mT.to(token.dtype)], dim=1)


def to_map(x: Float[Tensor, "B N D"], size: Size) -> Float[Tensor, "B D h w"]:
    """The tokens of the patches as a feature map, without the class token.

    Args:
        x: The class token, then one token for each patch, row by row.
        size: Rows and columns of patches.
    """
    return x[:, 1:].mT.reshape(x.shape[0], -1, *size)
