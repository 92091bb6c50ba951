"""The folded block of MSCAN and VAN, with the same result at evaluation."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from foveate.plugins.ops.eager import is_eager_on_cpu
from foveate.plugins.ops.fused import FusedConv2d

BAND_BYTES = 4 << 20  # hidden features per band, so that they fit the cache; 9 MB are as fast, 33 MB half as fast


class FoldedMlp(nn.Module):
    """`x + mlp(norm(x))`, with the norm and the scale folded into the 1 x 1 convolutions.

    The hidden features have many times as many channels as `x`, and would be written to memory and read four times.
    So they are computed in bands of rows, with one more row above and below for the 3 x 3 convolution.

    Args:
        fc1: First 1 x 1 convolution, with the norm folded in.
        dwconv: The depthwise 3 x 3 convolution with its activation.
        fc2: Last 1 x 1 convolution, with the scale folded in.
    """

    def __init__(self, fc1: FusedConv2d, dwconv: FusedConv2d, fc2: FusedConv2d) -> None:
        super().__init__()
        self.fc1, self.dwconv, self.fc2 = fc1, dwconv, fc2

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B C H W"]:
        rows = self._rows(x)
        if not is_eager_on_cpu(x) or x.shape[0] * x.shape[2] <= rows:
            return self.fc2.added(self.dwconv(self.fc1(x)), x)
        out = torch.empty_like(x, dtype=self.fc2.weight.dtype)
        for number in range(x.shape[0]):
            for top in range(0, x.shape[2], rows):
                out[number : number + 1, :, top : top + rows] = self._band(x[number : number + 1], top, top + rows)
        return out

    def _rows(self, x: Tensor) -> int:
        """Number of rows per band."""
        row = x.shape[3] * self.fc1.weight.shape[0] * self.fc1.weight.element_size()
        return max(4, BAND_BYTES // row)

    def _band(self, x: Tensor, top: int, bottom: int) -> Tensor:
        above, bottom = max(top - 1, 0), min(bottom, x.shape[2])
        hidden = self.dwconv(self.fc1(x[:, :, above : bottom + 1]))
        return self.fc2.added(hidden[:, :, top - above : bottom - above], x[:, :, top:bottom])


class FoldedBlock(nn.Module):
    """A block whose norms and scales are folded into its convolutions.

    The shortcut inside the attention starts from the normalised features: in `scale * (proj_2(..) + norm1(x))`, the
    second term is a second affine function of `x`, whose shift is folded into the bias of `proj_2`.

    Args:
        proj_1: First 1 x 1 convolution with its activation, with the norm folded in.
        gate: The module in the slot `gate`, in its folded form if it offers one.
        proj_2: Last 1 x 1 convolution, with scale and shift folded in.
        mlp: The second half of the block.
        shortcut: Factor of `x` on the shortcut, per channel, (C, 1, 1).
    """

    shortcut: Tensor

    def __init__(
        self, proj_1: FusedConv2d, gate: nn.Module, proj_2: FusedConv2d, mlp: FoldedMlp, shortcut: Tensor
    ) -> None:
        super().__init__()
        self.register_buffer("shortcut", shortcut)
        self.proj_1, self.gate, self.proj_2, self.mlp = proj_1, gate, proj_2, mlp

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B C H W"]:
        attended = self.proj_2.added(self.gate(self.proj_1(x)), x)
        out: Tensor = self.mlp(attended.addcmul_(x.to(attended.dtype), self.shortcut.to(attended.dtype)))
        return out
