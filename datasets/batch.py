"""What a data module yields."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NotRequired, TypedDict

from jaxtyping import Int64, UInt8
from torch import Tensor

BLANK = -1  # the label of an image that only keeps the processes in step


class SegmentationBatch(TypedDict):
    """Bytes, as they cross to the device; floats are made there.

    `image` is RGB. In `mask` 255 means ignore. `path` names the image files. Where there is a text in `faults`, that
    image could not be read, and a grey one stands in for it.
    """

    image: UInt8[Tensor, "B 3 H W"]
    mask: NotRequired[UInt8[Tensor, "B H W"]]
    path: list[str]
    faults: NotRequired[list[str]]


class ClassificationBatch(TypedDict):
    """Bytes and class numbers.

    `image` is RGB. `label` counts from 0; -1 stands for an image that only keeps the processes in step and is not
    scored. `path` says where each image came from.
    """

    image: UInt8[Tensor, "B 3 H W"]
    label: NotRequired[Int64[Tensor, " B"]]
    path: list[str]


@dataclass(frozen=True)
class Pick:
    """What a sampler asks a data set for.

    Attributes:
        index: Which sample.
        seed: Decides the sample's augmentation, so that it does not depend on workers.
        blank: Give the sample with every pixel ignored: it only keeps the processes in step.
    """

    index: int
    seed: int = 0
    blank: bool = False
