"""Labels images in overlapping tiles where a pass of the whole image would fill the memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from jaxtyping import Int64, UInt8
from torch import Tensor

LARGEST = 1 << 24  # pixels that are passed at once: about 5 GB for the features of segnext_t in float32
CORE = 1536  # side of the area that a tile labels, in pixels
MARGIN = 256  # pixels around it that the network sees too; a multiple of any usual stride

Tile = tuple[slice, slice]


def is_large(height: int, width: int) -> bool:
    """Whether an image is labelled in tiles. The limit is the same on all machines, and so is the result.

    Args:
        height: Of the image, in pixels.
        width: Of the image, in pixels.
    """
    return height * width > LARGEST


def label_in_tiles(
    label: Callable[[UInt8[Tensor, "B C h w"]], Int64[Tensor, "B h w"]], image: UInt8[Tensor, "B C H W"]
) -> UInt8[Tensor, "B H W"]:
    """The class of each pixel, each tile by itself: the network sees at least 256 pixels around each pixel.

    Args:
        label: Gives the classes of images in bytes.
        image: The images.
    """
    out = torch.empty(len(image), *image.shape[2:], dtype=torch.uint8, device=image.device)
    for (rows, columns), (upper, left) in tiles(image.shape[2], image.shape[3]):
        seen = label(image[..., _around(rows, image.shape[2]), _around(columns, image.shape[3])])
        inner = seen[:, upper : upper + rows.stop - rows.start, left : left + columns.stop - columns.start]
        out[:, rows, columns] = inner.to(torch.uint8)
    return out


def tiles(height: int, width: int) -> Iterator[tuple[Tile, tuple[int, int]]]:
    """Areas that cover an image once, and the margin that the network sees above and to the left of each.

    Args:
        height: Of the image, in pixels.
        width: Of the image, in pixels.

    Example:
        >>> [(rows.start, columns.start, margin) for (rows, columns), margin in tiles(1536, 1600)]
        [(0, 0, (0, 0)), (0, 1536, (0, 256))]
    """
    for top in range(0, height, CORE):
        for left in range(0, width, CORE):
            area = slice(top, min(top + CORE, height)), slice(left, min(left + CORE, width))
            yield area, (min(top, MARGIN), min(left, MARGIN))


def _around(area: slice, length: int) -> slice:
    return slice(max(area.start - MARGIN, 0), min(area.stop + MARGIN, length))
