"""Parameters and multiply-adds of a block, by number of channels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from foveate.plugins.conformance.subject import Size, Subject
from foveate.plugins.ops.counting import count_macs

WIDTHS = (32, 64, 160, 256)  # the widths of SegNeXt-T's stages
MAP: Size = (64, 64)


@dataclass(frozen=True)
class Cost:
    """Parameters and multiply-adds of a block at one number of channels.

    Attributes:
        channels: Number of channels.
        parameters: Number of parameters.
        macs: Number of multiply-adds for one feature map (see `count_macs`).
    """

    channels: int
    parameters: int
    macs: int


def measure_costs(subject: Subject, widths: Sequence[int] = WIDTHS, size: Size = MAP) -> list[Cost]:
    """Count parameters and multiply-adds at each number of channels, or the next larger one that the block accepts.

    Args:
        subject: The block.
        widths: Numbers of channels.
        size: Height and width of the feature map.
    """
    return [_measure(subject, width, size) for width in sorted({subject.width(width) for width in widths})]


def _measure(subject: Subject, channels: int, size: Size) -> Cost:
    module = subject.module(channels=channels)
    parameters = sum(parameter.numel() for parameter in module.parameters())
    return Cost(channels, parameters, count_macs(module, subject.features(size, batch=1, channels=channels)))
