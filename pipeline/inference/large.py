"""The classes of images that are too large for one pass, area by area, in memory that does not grow with the image."""

from __future__ import annotations

import math
import os
import tempfile
from collections.abc import Callable, Iterator
from typing import Any

import torch
from jaxtyping import UInt8
from torch import Tensor

from foveate.pipeline.inference.config import InferenceConfig, Size
from foveate.pipeline.inference.logits import Check, Network, infer, unchecked, view_logits
from foveate.pipeline.inference.scored import ScoredArea
from foveate.pipeline.inference.windows import slide
from foveate.pipeline.models.upsampling import Rows, resize_band

LARGEST = 1 << 24  # pixels that are passed at once: about 5 GB for the features of segnext_t in float32
SEEN = InferenceConfig(mode="slide", size=(2048, 2048), stride=(1536, 1536), window_weights="linear")
IN_MEMORY = 1 << 26  # bytes of classes that are kept in memory
DISK = "/var/tmp"
BAND = 64  # rows of an image that are classified at a time where its logits are resized
SMALL_BAND = 8  # rows of a resized image that are made at a time


def is_large(height: int, width: int) -> bool:
    """Whether an image is labelled area by area. The limit is the same on all machines, and so is the result.

    Args:
        height: Of the image, in pixels.
        width: Of the image, in pixels.
    """
    return height * width > LARGEST


def empty_bytes(size: tuple[int, ...]) -> UInt8[Tensor, "..."]:
    """An uninitialised tensor of bytes; a very large one lies in a file without a name, and so takes no memory.

    Args:
        size: Its shape.
    """
    count = math.prod(size)
    if count <= IN_MEMORY:
        return torch.empty(size, dtype=torch.uint8)
    folder = DISK if os.access(DISK, os.W_OK) else None  # the folder for temporary files may lie in memory
    with tempfile.NamedTemporaryFile(dir=folder) as file:
        file.truncate(count)
        return torch.from_file(file.name, shared=True, size=count, dtype=torch.uint8).view(size)


def score_areas(
    network: Network,
    image: Rows | Tensor,
    normalise: Callable[[Tensor], Tensor],
    config: InferenceConfig,
    *,
    check: Check = unchecked,
) -> Iterator[ScoredArea]:
    """The scores of each pixel of large images; together the areas cover them once.

    With sliding windows, the classes are those of `infer_classes`. Images that would be passed as a whole, or at
    several scales, are cut into overlapping windows of 2048 x 2048 pixels, whose logits are blended. Images that the
    configuration resizes to a short side are passed as they always are, and their logits resized row by row.

    Args:
        network: From normalised images to logits at their size.
        image: The images.
        normalise: From bytes to normalised images.
        config: How they are put through the network.
        check: See `infer`.
    """
    size, images = (image.shape[2], image.shape[3]), image.shape[0]
    if config.short_side is not None:
        yield from _score_resized(network, image, normalise, config, check)
        return

    def read(rows: slice, columns: slice) -> Tensor:
        return normalise(image[..., rows, columns])

    def pass_window(window: Tensor) -> Tensor:
        return infer(network, window, config, check=check)

    own = config.mode == "slide" and not config.augments
    for rows, columns, logits in slide(network if own else pass_window, read, size, config if own else SEEN):
        yield ScoredArea(slice(0, images), rows, columns, check(logits, images, logits.shape[2:]))


def _score_resized(
    network: Network, image: Rows | Tensor, normalise: Callable[[Tensor], Tensor], config: InferenceConfig, check: Check
) -> Iterator[ScoredArea]:
    """The scores of images that are resized to a short side: of each view the small logits are kept."""
    size = (image.shape[2], image.shape[3])
    views = [
        (logits, flipped)
        for scale in config.used_scales
        for logits, flipped in view_logits(
            network, _resized(image, normalise, config.fitted(size, scale)), config, check
        )
    ]
    for top in range(0, size[0], BAND):
        rows = slice(top, min(top + BAND, size[0]))
        bands = [(resize_band(logits, size, rows), flipped) for logits, flipped in views]
        if len(bands) > 1:
            bands = [(band.softmax(1), flipped) for band, flipped in bands]
        total = torch.stack([band.flip(3) if flipped else band for band, flipped in bands]).sum(0)
        every = slice(0, image.shape[0])
        yield ScoredArea(every, rows, slice(0, size[1]), total, views=len(bands) if len(bands) > 1 else 0)


def _resized(image: Rows | Tensor, normalise: Callable[[Tensor], Tensor], size: Size) -> Tensor:
    """Images at another size, resized band by band."""
    bands = [
        resize_band(_Normalised(image, normalise), size, slice(top, min(top + SMALL_BAND, size[0])))
        for top in range(0, size[0], SMALL_BAND)
    ]
    return torch.cat(bands, 2)


class _Normalised:
    """Images of which each part is normalised as it is taken."""

    def __init__(self, image: Rows | Tensor, normalise: Callable[[Tensor], Tensor]) -> None:
        self.image, self.normalise = image, normalise

    @property
    def shape(self) -> tuple[int, ...]:
        """That of the images."""
        return self.image.shape

    def __getitem__(self, part: Any, /) -> Tensor:
        """A part, normalised."""
        return self.normalise(self.image[part])
