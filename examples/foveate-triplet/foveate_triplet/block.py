"""Triplet attention: each pair of axes weighs the third."""

from __future__ import annotations

import torch
from torch import Tensor, nn

# Of (B, C, H, W): the axis that is pooled, brought to the front by swapping it with C; C itself stays.
POOLED_AXES = (2, 3, 1)


class Branch(nn.Module):
    """Weigh every entry of a plane, from the maximum and the average along the axis across it."""

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
    """Weigh features over the planes (C, W), (C, H) and (H, W), and average the three.

    Args:
        channels: Width C of the features; any will do, since no parameter depends on it.
        kernel: Side of the convolution over each plane, odd.

    Source:
        Misra et al. 2021, Rotate to Attend: Convolutional Triplet Attention Module, section 3 (arXiv:2010.03045).
    """

    def __init__(self, channels: int, *, kernel: int = 7) -> None:
        super().__init__()
        if kernel % 2 == 0:
            raise ValueError(f"triplet: the kernel is odd, not {kernel}")
        self.branches = nn.ModuleList(Branch(axis, kernel) for axis in POOLED_AXES)

    def forward(self, x: Tensor) -> Tensor:
        first, second, third = self.branches
        out: Tensor = (first(x) + second(x) + third(x)) / 3
        return out
