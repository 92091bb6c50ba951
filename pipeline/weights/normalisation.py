"""Mean and deviation of the images that weights were trained on: they belong to the weights."""

from __future__ import annotations

import json
from collections.abc import Mapping

from torch import Tensor

from foveate.pipeline.normalisation import MEAN, STD
from foveate.pipeline.weights.layouts.layout import Layout

Statistics = tuple[tuple[float, ...], tuple[float, ...]]  # mean and deviation per channel, in 0-255, RGB
IMAGENET: Statistics = (MEAN, STD)
HALF: Statistics = ((127.5,) * 3, (127.5,) * 3)
BUFFERS = ("normalise.mean", "normalise.std")  # of a task's checkpoint


def statistics_of(layout: Layout, state: Mapping[str, Tensor], metadata: Mapping[str, str]) -> Statistics | None:
    """What the weights expect of an image, as far as it is known.

    Metadata comes first (`mean` and `std` as JSON lists in 0-255, or `input`), then what a checkpoint of ours
    carries, then what is usual for the layout; None where a layout says nothing.
    """
    if "mean" in metadata and "std" in metadata:
        return _numbers(metadata["mean"]), _numbers(metadata["std"])
    if metadata.get("input", "").replace(" ", "").endswith("/127.5-1"):
        return HALF
    if all(name in state for name in BUFFERS):
        mean, std = (tuple(state[name].flatten().tolist()) for name in BUFFERS)
        return mean, std
    if layout.families in ((), ("timm:",)):
        return None
    return HALF if layout.offset_half else IMAGENET


def _numbers(text: str) -> tuple[float, ...]:
    return tuple(float(number) for number in json.loads(text))
