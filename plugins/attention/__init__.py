"""Our own attention blocks, offered through the same hook a third party uses."""

from __future__ import annotations

from collections.abc import Iterator

from foveate.plugins.hookspecs import hookimpl
from foveate.plugins.records import Block

_HERE = "foveate.plugins.attention"


@hookimpl
def foveate_blocks() -> Iterator[Block]:
    """The blocks of this package; their modules are imported only when built."""
    yield Block(
        name="none",
        summary="No attention: the identity",
        kind="3-D",
        build=f"{_HERE}.identity:identity",
    )
    yield Block(
        name="se",
        summary="Squeeze and excitation: weigh channels by their global average",
        kind="channel",
        build=f"{_HERE}.se:SqueezeExcitation",
        paper="arXiv:1709.01507",
    )
    yield Block(
        name="eca",
        summary="Efficient channel attention: weigh channels by the averages of their neighbours",
        kind="channel",
        build=f"{_HERE}.eca:EfficientChannelAttention",
        paper="arXiv:1910.03151",
    )
    yield Block(
        name="cbam",
        summary="Channel weights from average and maximum, then weights for places",
        kind="channel+spatial",
        build=f"{_HERE}.cbam:ConvBlockAttention",
        paper="arXiv:1807.06521",
    )
    yield Block(
        name="cbam_channel",
        summary="The first half of CBAM: channel weights from average and maximum",
        kind="channel",
        build=f"{_HERE}.cbam:ChannelGate",
        paper="arXiv:1807.06521",
    )
    yield Block(
        name="cbam_spatial",
        summary="The second half of CBAM: weights for places from their strongest and average channel",
        kind="spatial",
        build=f"{_HERE}.cbam:SpatialGate",
        paper="arXiv:1807.06521",
    )
    yield Block(
        name="scse",
        summary="Squeeze and excitation of channels and of places, added",
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
        summary="Global context: add one weighted average of all places to each",
        kind="global",
        build=f"{_HERE}.gc:GlobalContext",
        paper="arXiv:1904.11492",
    )
    yield Block(
        name="simam",
        summary="SimAM: weigh features by how far they stand out; no parameters",
        kind="3-D",
        build=f"{_HERE}.simam:SimpleAttention",
        paper="ICML 2021",
    )
    yield Block(
        name="strip_pooling",
        summary="Strip pooling: weigh features by their whole row and column",
        kind="3-D",
        build=f"{_HERE}.strip_pooling:StripPooling",
        paper="arXiv:2003.13328",
    )
    yield Block(
        name="residual",
        summary="Residual attention: (1 + mask) times the features, the mask from an hourglass",
        kind="3-D",
        build=f"{_HERE}.residual:ResidualAttention",
        paper="arXiv:1704.06904",
    )
    yield Block(
        name="lka",
        summary="Large kernel attention: a decomposed large convolution as a gate",
        kind="3-D",
        build=f"{_HERE}.lka:LargeKernelAttention",
        paper="arXiv:2202.09741",
    )
    yield Block(
        name="msca",
        summary="Multi-scale convolutional attention: strips of three lengths as a gate",
        kind="3-D",
        build=f"{_HERE}.msca:MultiScaleConvAttention",
        paper="arXiv:2209.08575",
    )
    yield Block(
        name="deformable",
        summary="Deformable convolution: each place chooses where the kernel looks",
        kind="spatial",
        build=f"{_HERE}.deformable:DeformableConv",
        paper="arXiv:1703.06211",
    )
    yield Block(
        name="deformable_v2",
        summary="Deformable convolution that also weighs what it looks at",
        kind="spatial",
        build=f"{_HERE}.deformable:modulated_deformable_conv",
        paper="arXiv:1811.11168",
    )
    yield Block(
        name="stn",
        summary="Spatial transformer: look through an affine transform chosen for each sample",
        kind="spatial",
        build=f"{_HERE}.stn:SpatialTransformer",
        paper="arXiv:1506.02025",
    )
    yield Block(
        name="hamburger",
        summary="Hamburger: add what a matrix factorisation of the whole map says",
        kind="global",
        build=f"{_HERE}.hamburger:Hamburger",
        paper="arXiv:2109.04553",
    )
    yield Block(
        name="self_attention",
        summary="Multi-head self-attention over positions, in windows on large maps",
        kind="global",
        build=f"{_HERE}.self_attention:SelfAttention",
        paper="arXiv:1706.03762",
    )
