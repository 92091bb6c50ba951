"""Batch norm for feature maps that may shrink to one position."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn


class PooledBatchNorm2d(nn.BatchNorm2d):
    """Batch norm that can also be trained on one value per channel, which PyTorch's own refuses.

    A pooled feature map of one image can be that small. The value is duplicated, which does not change its mean and
    its variance (0), so the output of each channel is its bias.
    """

    def forward(self, input: Float[Tensor, "B C H W"]) -> Float[Tensor, "B C H W"]:
        if self.training and input.numel() == input.shape[1]:
            return super().forward(input.expand(-1, -1, 2, -1))[:, :, :1]
        return super().forward(input)
