"""Large kernel attention, the gate of VAN."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn

from foveate.plugins.attention.init import Init, answer_always, starts_as_identity
from foveate.plugins.init import init_weights
from foveate.plugins.ops.depthwise import DepthwiseConv2d
from foveate.plugins.ops.fused import FusedConv2d


class LargeKernelAttention(nn.Module):
    """Multiply the input by a decomposed large-kernel convolution of it.

    The large kernel is decomposed into a depthwise, a dilated depthwise and a 1 x 1 convolution.

    Args:
        channels: Number of channels C of the input and of the output.
        kernel: Side of the large kernel that is decomposed (21 in the paper).
        dilation: Dilation of the second convolution, whose kernel is `ceil(kernel / dilation)` wide, made odd; the
            kernel of the first is `2 * dilation - 1` wide.
        init: `identity` starts with a last convolution whose output is 1 everywhere: the input is multiplied by 1.

    Source:
        Guo et al. 2022, Visual Attention Network, section 3.1 (arXiv:2202.09741). The gate is a product
        without a sigmoid.
    """

    def __init__(self, channels: int, *, kernel: int = 21, dilation: int = 3, init: Init = "default") -> None:
        super().__init__()
        if kernel < 1 or dilation < 1:
            raise ValueError(f"lka: kernel and dilation are at least 1, not {kernel} and {dilation}")
        far = -(-kernel // dilation)
        self.conv0 = DepthwiseConv2d(channels, 2 * dilation - 1)
        self.conv_spatial = DepthwiseConv2d(channels, far + 1 - far % 2, dilation=dilation)
        self.conv1 = nn.Conv2d(channels, channels, 1)
        self.apply(init_weights)
        if starts_as_identity(init):
            answer_always(self.conv1, 1)

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B C H W"]:
        return self._gate(x) * x

    def _gate(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B C H W"]:
        attention: Tensor = self.conv1(self.conv_spatial(self.conv0(x)))
        return attention

    def maps(self, x: Float[Tensor, "B C H W"]) -> dict[str, Tensor]:
        """The gate, for `foveate explain` (see `Explainable`)."""
        return {"gate": self._gate(x)}

    def folded(self) -> nn.Module:
        """The same block with the product computed inside the last convolution (see `Foldable`)."""
        return FoldedLka(self.conv0, self.conv_spatial, self.conv1)


class FoldedLka(nn.Module):
    """Large kernel attention in evaluation, with the product computed inside the last convolution.

    Args:
        near: The depthwise convolution.
        far: The dilated depthwise convolution.
        mix: The 1 x 1 convolution.
    """

    def __init__(self, near: nn.Conv2d, far: nn.Conv2d, mix: nn.Conv2d) -> None:
        super().__init__()
        self.near, self.far, self.mix = FusedConv2d(near), FusedConv2d(far), FusedConv2d(mix)

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B C H W"]:
        return self.mix.times(self.far(self.near(x)), x)
