"""What a block costs, by width."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch.utils.flop_counter import FlopCounterMode

from foveate.plugins.conformance.subject import Size, Subject

WIDTHS = (32, 64, 160, 256)  # SegNeXt-T's
MAP: Size = (64, 64)


@dataclass(frozen=True)
class Cost:
    """At a width: the number of parameters, and of multiply-adds of one map in convolutions and matrix products."""

    channels: int
    parameters: int
    macs: int


def measure_costs(subject: Subject, widths: Sequence[int] = WIDTHS, size: Size = MAP) -> list[Cost]:
    """Count at each width, or the next that the block accepts."""
    return [_measure(subject, width, size) for width in sorted({subject.width(width) for width in widths})]


def _measure(subject: Subject, channels: int, size: Size) -> Cost:
    module = subject.module(channels=channels)
    parameters = sum(parameter.numel() for parameter in module.parameters())
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        module(subject.features(size, batch=1, channels=channels))
    return Cost(channels, parameters, counter.get_total_flops() // 2)
