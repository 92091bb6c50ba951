"""Strip pooling."""

from __future__ import annotations

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from foveate.plugins.attention.checks import check_odd
from foveate.plugins.attention.init import OPEN, Init, answer_always, starts_as_identity
from foveate.plugins.ops.norm import PooledBatchNorm2d


class StripPooling(nn.Module):
    """Multiply each position by weights from the averages of its row and of its column.

    Args:
        channels: Number of channels C of the input and of the output.
        kernel: Length of the 1-D convolutions over the pooled rows and columns; odd.
        init: `identity` starts with the gate nearly open: the input is multiplied by 0.98.

    Source:
        Hou et al. 2020, Strip Pooling, section 3.1 (arXiv:2003.13328). The two batch norms and the ReLU follow the
        authors' code.
    """

    def __init__(self, channels: int, *, kernel: int = 3, init: Init = "default") -> None:
        super().__init__()
        check_odd("strip_pooling: kernel", kernel)
        self.conv_h = nn.Conv2d(channels, channels, (kernel, 1), padding=(kernel // 2, 0), bias=False)
        self.norm_h = PooledBatchNorm2d(channels)
        self.conv_w = nn.Conv2d(channels, channels, (1, kernel), padding=(0, kernel // 2), bias=False)
        self.norm_w = PooledBatchNorm2d(channels)
        self.fuse = nn.Conv2d(channels, channels, 1)
        if starts_as_identity(init):
            answer_always(self.fuse, OPEN)

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B C H W"]:
        return x * self._weights(x)

    def _weights(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B C H W"]:
        rows = self.norm_h(self.conv_h(x.mean(3, keepdim=True)))
        columns = self.norm_w(self.conv_w(x.mean(2, keepdim=True)))
        weights: Tensor = self.fuse(F.relu(rows + columns)).sigmoid()
        return weights

    def maps(self, x: Float[Tensor, "B C H W"]) -> dict[str, Tensor]:
        """The gate, for `foveate explain` (see `Explainable`)."""
        return {"position weights": self._weights(x)}
