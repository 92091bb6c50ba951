"""What a block costs, by width."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from foveate.plugins.conformance.subject import Size, Subject
from foveate.plugins.ops.counting import count_macs

WIDTHS = (32, 64, 160, 256)  # SegNeXt-T's
MAP: Size = (64, 64)


@dataclass(frozen=True)
class Cost:
    """What a block costs at one width.

    Attributes:
        channels: The width.
        parameters: Number of trained values.
        macs: Multiply-adds for one feature map (see `count_macs`).
    """

    channels: int
    parameters: int
    macs: int


def measure_costs(subject: Subject, widths: Sequence[int] = WIDTHS, size: Size = MAP) -> list[Cost]:
    """Count at each width, or the next larger one that the block accepts.

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
