"""What a data module yields."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NotRequired, TypedDict

from jaxtyping import Int64, UInt8
from torch import Tensor

from foveate.datasets.files.windowed import WindowedImage

BLANK = -1  # the label of an image that only keeps the processes in step


class SegmentationBatch(TypedDict):
    """Images and masks as bytes; they are converted to floats on the device.

    `image` is RGB, or has the C bands of its data set. In `mask` 255 means ignore; a mask of nothing else marks a
    blank, which only keeps the processes in step. `path` names the image files. A text in `faults` says why an image
    could not be read: in prediction a grey one replaces it, in training another sample. `windows` reads the one image
    of a prediction that is too large to be read as a whole; `image` is then a grey one in its place.
    """

    image: UInt8[Tensor, "B C H W"]
    mask: NotRequired[UInt8[Tensor, "B H W"]]
    path: list[str]
    faults: NotRequired[list[str]]
    windows: NotRequired[WindowedImage]


class ClassificationBatch(TypedDict):
    """Images as bytes, and class numbers.

    `image` is RGB, in evaluation possibly with V views of each image. `label` counts from 0; -1 marks a blank, which
    only keeps the processes in step and is not scored. `path` says where each image came from.
    """

    image: UInt8[Tensor, "B *V 3 H W"]
    label: NotRequired[Int64[Tensor, " B"]]
    path: list[str]


@dataclass(frozen=True)
class Pick:
    """A sample that a sampler asks a data set for.

    Attributes:
        index: Number of the sample.
        seed: Decides the sample's augmentation, which so does not depend on the reading processes.
        blank: Give the sample without labels: it only keeps the processes in step.
        target: Class that a crop of the sample is to show; None for any.
    """

    index: int
    seed: int = 0
    blank: bool = False
    target: int | None = None
