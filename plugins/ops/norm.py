"""Batch norm for feature maps that may shrink to one position."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn


class PooledBatchNorm2d(nn.BatchNorm2d):
    """Batch norm that also trains on one value for each channel, where PyTorch's refuses.

    A pooled map of one image can be that small. The value is taken twice, which leaves its mean and its variance (0)
    what they are, so each channel answers its bias.
    """

    def forward(self, input: Float[Tensor, "B C H W"]) -> Float[Tensor, "B C H W"]:
        if self.training and input.numel() == input.shape[1]:
            return super().forward(input.expand(-1, -1, 2, -1))[:, :, :1]
        return super().forward(input)
