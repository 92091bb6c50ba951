"""Triplet attention: attention weights over three pairs of axes."""

from __future__ import annotations

import torch
from torch import Tensor, nn

# The axis of (B, C, H, W) that each branch pools; it is swapped with C first (1 leaves the order as it is).
POOLED_AXES = (2, 3, 1)


class Branch(nn.Module):
    """Attention over one pair of axes: weights from the maximum and the average along the third axis.

    Args:
        axis: The third axis, which is pooled: 1 (C), 2 (H) or 3 (W).
        kernel: Side of the convolution over the pair of axes; odd.
    """

    def __init__(self, axis: int, kernel: int) -> None:
        super().__init__()
        self.axis = axis
        self.conv = nn.Conv2d(2, 1, kernel, padding=kernel // 2, bias=False)
        self.norm = nn.BatchNorm2d(1)

    def forward(self, x: Tensor) -> Tensor:
        turned = x.transpose(1, self.axis)
        pooled = torch.cat([turned.amax(1, keepdim=True), turned.mean(1, keepdim=True)], dim=1)
        weights = self.norm(self.conv(pooled)).sigmoid()
        return (turned * weights).transpose(1, self.axis)


class TripletAttention(nn.Module):
    """Triplet attention: the average of three branches, over (C, W), (C, H) and (H, W).

    Args:
        channels: Number of channels C; not used, since no parameter depends on it.
        kernel: Side of the convolution over each pair of axes; odd.

    Source:
        Misra et al. 2021, Rotate to Attend: Convolutional Triplet Attention Module, section 3 (arXiv:2010.03045).
    """

    def __init__(self, channels: int, *, kernel: int = 7) -> None:
        super().__init__()
        if kernel % 2 == 0:
            raise ValueError(f"triplet: kernel must be odd, not {kernel}")
        self.branches = nn.ModuleList(Branch(axis, kernel) for axis in POOLED_AXES)

    def forward(self, x: Tensor) -> Tensor:
        first, second, third = self.branches
        out: Tensor = (first(x) + second(x) + third(x)) / 3
        return out
