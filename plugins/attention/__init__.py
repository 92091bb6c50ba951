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
        name="cbam",
        summary="Channel weights from average and maximum, then weights for places",
        kind="channel+spatial",
        build=f"{_HERE}.cbam:ConvBlockAttention",
        paper="arXiv:1807.06521",
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
