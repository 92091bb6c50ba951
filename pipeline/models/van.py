"""VAN, the Visual Attention Network: large-kernel attention in four stages.

Source: Guo et al. 2022, Visual Attention Network (arXiv:2202.09741). Parameter names follow the published weights,
except the depthwise convolution of the MLP and the `head`, which is `head.classifier` here.
"""

from __future__ import annotations

from foveate.pipeline.models.mscan import ConvAttentionEncoder, PatchEmbed, Variant
from foveate.plugins.attention.lka import LargeKernelAttention


class VANStem(PatchEmbed):
    """From the image to features at stride 4: one 7 x 7 convolution and a batch norm.

    Args:
        in_channels: Channels of the image.
        channels: Width C of the output.
    """

    def __init__(self, in_channels: int, channels: int) -> None:
        super().__init__(in_channels, channels, kernel=7, stride=4)


class VAN(ConvAttentionEncoder):
    """Large-kernel attention in every block, and a stem of one 7 x 7 convolution.

    Arguments: see ConvAttentionEncoder.
    """

    stem = VANStem
    gate = LargeKernelAttention
    eps = 1e-6


# Table 2 of the paper and, from b4 on, the authors' files. Drop path is the paper's up to b3.
VARIANTS = {
    "van_b0": Variant(channels=(32, 64, 160, 256), depths=(3, 3, 5, 2)),
    "van_b1": Variant(channels=(64, 128, 320, 512), depths=(2, 2, 4, 2)),
    "van_b2": Variant(channels=(64, 128, 320, 512), depths=(3, 3, 12, 3)),
    "van_b3": Variant(channels=(64, 128, 320, 512), depths=(3, 5, 27, 3), drop_path=0.2),
    "van_b4": Variant(channels=(64, 128, 320, 512), depths=(3, 6, 40, 3), drop_path=0.2),
    "van_b5": Variant(channels=(96, 192, 480, 768), depths=(3, 3, 24, 3), drop_path=0.2),
    "van_b6": Variant(channels=(96, 192, 384, 768), depths=(6, 6, 90, 6), drop_path=0.2),
}
