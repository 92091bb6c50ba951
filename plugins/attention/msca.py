"""Multi-scale convolutional attention, the gate of SegNeXt."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from jaxtyping import Float
from torch import Tensor, nn

from foveate.plugins.attention.init import Init, answer_always, starts_as_identity
from foveate.plugins.init import init_weights
from foveate.plugins.ops.depthwise import DepthwiseConv2d
from foveate.plugins.ops.fused import FusedConv2d
from foveate.plugins.ops.strips import add_strips


class MultiScaleConvAttention(nn.Module):
    """Multiply the input by a multi-scale convolution of it.

    After a 5 x 5 depthwise convolution, pairs of strip convolutions (1 x k, then k x 1; k = 7, 11, 21) approximate
    square k x k kernels. The cost is linear in k instead of quadratic. A 1 x 1 convolution mixes their sum.

    Args:
        channels: Number of channels C of the input and of the output.
        kernels: Length k of each pair of strips; odd.
        init: `identity` starts with a last convolution whose output is 1 everywhere: the input is multiplied by 1.

    Source:
        Guo et al. 2022, SegNeXt, section 3.1 (arXiv:2209.08575). The gate is a product, without a sigmoid.
    """

    def __init__(self, channels: int, *, kernels: Sequence[int] = (7, 11, 21), init: Init = "default") -> None:
        super().__init__()
        self.conv0 = DepthwiseConv2d(channels, 5)
        for number, length in enumerate(kernels):  # the parameter names of the published weights
            self.add_module(f"conv{number}_1", DepthwiseConv2d(channels, (1, length)))
            self.add_module(f"conv{number}_2", DepthwiseConv2d(channels, (length, 1)))
        self.conv3 = nn.Conv2d(channels, channels, 1)
        self.scales = len(kernels)
        self.apply(init_weights)
        if starts_as_identity(init):
            answer_always(self.conv3, 1)

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B C H W"]:
        gated: Tensor = self.conv3(add_strips(self.conv0(x), self._pairs())) * x
        return gated

    def _pairs(self) -> list[tuple[Any, Any]]:
        """The strip convolutions, 1 x k and k x 1 of each length, or what was put in their place."""
        return [(getattr(self, f"conv{n}_1"), getattr(self, f"conv{n}_2")) for n in range(self.scales)]

    def maps(self, x: Float[Tensor, "B C H W"]) -> dict[str, Tensor]:
        """The output of each branch and the gate, for `foveate explain` (see `Explainable`)."""
        near: Tensor = self.conv0(x)
        found = {"branch 0, 5 x 5": near}
        for number, (across, down) in enumerate(self._pairs(), start=1):
            length = max(getattr(across, "kernel_size", (0,)))
            found[f"branch {number}, {length} x {length}" if length else f"branch {number}"] = down(across(near))
        return {**found, "gate": self.conv3(sum(found.values()))}

    def folded(self) -> nn.Module:
        """The same block with sums in place and the product computed inside the last convolution (see `Foldable`)."""
        return FoldedMsca(self.conv0, self._pairs(), self.conv3)


class FoldedMsca(nn.Module):
    """Multi-scale attention in evaluation: sums in place, the product computed inside the last convolution.

    Args:
        near: The 5 x 5 depthwise convolution.
        pairs: The strip convolutions: 1 x k and k x 1 of each length.
        mix: The 1 x 1 convolution.
    """

    def __init__(self, near: nn.Conv2d, pairs: Sequence[tuple[nn.Conv2d, nn.Conv2d]], mix: nn.Conv2d) -> None:
        super().__init__()
        self.near, self.mix = FusedConv2d(near), FusedConv2d(mix)
        self.across = nn.ModuleList(FusedConv2d(across) for across, _ in pairs)
        self.down = nn.ModuleList(FusedConv2d(down) for _, down in pairs)

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B C H W"]:
        near = self.near(x)
        seen = near.clone() if not len(self.down) else near
        for number, (across, down) in enumerate(zip(self.across, self.down, strict=True)):
            far = down(across(near))
            seen = far.add_(seen) if number == 0 else seen.add_(far)
        return self.mix.times(seen, x)
