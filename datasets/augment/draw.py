"""What the training augmentation drew for a sample."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from foveate.datasets.augment.photometric import Distortion
from foveate.datasets.augment.resizing import ImagePart, MaskPart, Window


@dataclass(frozen=True, kw_only=True)
class Pasted:
    """An object of another image that was pasted into a sample.

    Attributes:
        label: Its train id.
        source: Index of the image that it comes from.
        scale: Factor by which it was resized.
        window: Where it is, in the window of the resized image and before a flip; parts may lie outside.
        pixels: How many pixels it covers.
    """

    label: int
    source: int
    scale: float
    window: Window
    pixels: int


@dataclass(frozen=True, kw_only=True)
class Draw:
    """What was drawn for one training sample.

    Attributes:
        scale: Factor by which the image was resized.
        window: What was cut out of the resized image.
        flipped: Whether it was flipped.
        distortion: The change of colours, if they are changed at all.
        target: Train id that the window was chosen to show, if any.
        pasted: Objects of another image.
        further: Augmentations of albumentations that were applied: name and parameters, in order.
    """

    scale: float
    window: Window
    flipped: bool
    distortion: Distortion | None = None
    target: int | None = None
    pasted: Sequence[Pasted] = ()
    further: Sequence[tuple[str, Mapping[str, Any]]] = ()


# Pastes objects into a cut image and its mask; gives copies, unless it pastes nothing.
Paste = Callable[[ImagePart, MaskPart], tuple[ImagePart, MaskPart, Sequence[Pasted]]]
