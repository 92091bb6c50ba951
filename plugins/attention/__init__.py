"""Foveate's own attention blocks, offered through the same hook that third-party plugins use."""

from __future__ import annotations

from collections.abc import Iterator

from foveate.plugins.hookspecs import hookimpl
from foveate.plugins.records import Block

_HERE = "foveate.plugins.attention"


@hookimpl
def foveate_blocks() -> Iterator[Block]:
    """Offer the blocks of this package; the module of a block is imported when the block is built."""
    yield Block(
        name="none",
        summary="No attention (identity)",
        kind="3-D",
        build=f"{_HERE}.identity:identity",
    )
    yield Block(
        name="se",
        summary="Squeeze and excitation: channel weights from global average pooling",
        kind="channel",
        build=f"{_HERE}.se:SqueezeExcitation",
        paper="arXiv:1709.01507",
    )
    yield Block(
        name="eca",
        summary="Efficient channel attention: channel weights from a 1-D convolution over channel averages",
        kind="channel",
        build=f"{_HERE}.eca:EfficientChannelAttention",
        paper="arXiv:1910.03151",
    )
    yield Block(
        name="cbam",
        summary="CBAM: channel weights from average and maximum pooling, then spatial weights",
        kind="channel+spatial",
        build=f"{_HERE}.cbam:ConvBlockAttention",
        paper="arXiv:1807.06521",
    )
    yield Block(
        name="cbam_channel",
        summary="The channel half of CBAM: channel weights from average and maximum pooling",
        kind="channel",
        build=f"{_HERE}.cbam:ChannelGate",
        paper="arXiv:1807.06521",
    )
    yield Block(
        name="cbam_spatial",
        summary="The spatial half of CBAM: spatial weights from the maximum and the average over channels",
        kind="spatial",
        build=f"{_HERE}.cbam:SpatialGate",
        paper="arXiv:1807.06521",
    )
    yield Block(
        name="scse",
        summary="Channel and spatial squeeze and excitation, added",
        kind="channel+spatial",
        build=f"{_HERE}.scse:SpatialChannelExcitation",
        paper="arXiv:1803.02579",
    )
    yield Block(
        name="coordinate",
        summary="Coordinate attention: channel weights for each row and each column",
        kind="channel+spatial",
        build=f"{_HERE}.coordinate:CoordinateAttention",
        paper="arXiv:2103.02907",
    )
    yield Block(
        name="gc",
        summary="Global context: add one weighted average of all positions to every position",
        kind="global",
        build=f"{_HERE}.gc:GlobalContext",
        paper="arXiv:1904.11492",
    )
    yield Block(
        name="simam",
        summary="SimAM: weights from the distance to the channel mean; no parameters",
        kind="3-D",
        build=f"{_HERE}.simam:SimpleAttention",
        paper="ICML 2021",
    )
    yield Block(
        name="strip_pooling",
        summary="Strip pooling: weights from row and column averages",
        kind="3-D",
        build=f"{_HERE}.strip_pooling:StripPooling",
        paper="arXiv:2003.13328",
    )
    yield Block(
        name="residual",
        summary="Residual attention: multiply by (1 + mask), the mask from a small hourglass network",
        kind="3-D",
        build=f"{_HERE}.residual:ResidualAttention",
        paper="arXiv:1704.06904",
    )
    yield Block(
        name="lka",
        summary="Large kernel attention: a gate from a decomposed large-kernel convolution",
        kind="3-D",
        build=f"{_HERE}.lka:LargeKernelAttention",
        paper="arXiv:2202.09741",
    )
    yield Block(
        name="msca",
        summary="Multi-scale convolutional attention: a gate from strip convolutions of three lengths",
        kind="3-D",
        build=f"{_HERE}.msca:MultiScaleConvAttention",
        paper="arXiv:2209.08575",
    )
    yield Block(
        name="deformable",
        summary="Deformable convolution: learned sampling offsets at each position",
        kind="spatial",
        build=f"{_HERE}.deformable:DeformableConv",
        paper="arXiv:1703.06211",
    )
    yield Block(
        name="deformable_v2",
        summary="Modulated deformable convolution: learned offsets and a weight for each sample",
        kind="spatial",
        build=f"{_HERE}.deformable:modulated_deformable_conv",
        paper="arXiv:1811.11168",
    )
    yield Block(
        name="stn",
        summary="Spatial transformer: resample with an affine transform predicted for each image",
        kind="spatial",
        build=f"{_HERE}.stn:SpatialTransformer",
        paper="arXiv:1506.02025",
    )
    yield Block(
        name="hamburger",
        summary="Hamburger: add a low-rank reconstruction of the whole feature map",
        kind="global",
        build=f"{_HERE}.hamburger:Hamburger",
        paper="arXiv:2109.04553",
    )
    yield Block(
        name="self_attention",
        summary="Multi-head self-attention over positions, in windows on large feature maps",
        kind="global",
        build=f"{_HERE}.self_attention:SelfAttention",
        paper="arXiv:1706.03762",
    )
