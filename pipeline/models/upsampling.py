"""Upsampling of logits from a model's stride to full size, or directly to the class of each pixel."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol, runtime_checkable

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor

BAND_BYTES = 8 << 20  # full-size logits per band


def upsample(logits: Float[Tensor, "B K h w"], size: tuple[int, int]) -> Float[Tensor, "B K H W"]:
    """Logits at the size of the image, by bilinear interpolation."""
    if logits.shape[2:] == size:
        return logits
    return F.interpolate(logits, size=size, mode="bilinear", align_corners=False)


def classify(logits: Float[Tensor, "B K H W"]) -> Int64[Tensor, "B H W"]:
    """The class of each pixel, the first one if several are equal: `argmax(1)`, but several times as fast."""
    return logits.max(1).indices


def classify_upsampled(logits: Float[Tensor, "B K h w"], size: tuple[int, int]) -> Int64[Tensor, "B H W"]:
    """`classify(upsample(logits, size))`, without storing the full-size logits if the factor is a power of two.

    The full-size logits are many times as large as the image; writing and reading them takes as long as much of the
    network. So bands of rows are upsampled, each with two more source rows above and below, so that its rows are
    interpolated as in the whole. With other factors, the positions between source rows would be rounded differently.

    Args:
        logits: Logits at the model's stride.
        size: Height and width of the image.
    """
    out = torch.empty(logits.shape[0], *size, dtype=torch.int64, device=logits.device)
    for images, rows, band in upsample_bands(logits, size):
        out[images, rows] = classify(band)
    return out


def upsample_bands(
    logits: Float[Tensor, "B K h w"], size: tuple[int, int]
) -> Iterator[tuple[slice, slice, Float[Tensor, "b K rows W"]]]:
    """What `upsample(logits, size)` gives, in bands of rows if the factor is a power of two, else as a whole.

    Args:
        logits: Logits at the model's stride.
        size: Height and width of the image.

    Returns:
        Which images, which rows, and their logits at full size.
    """
    factor = size[0] // logits.shape[2]
    exact = size == (factor * logits.shape[2], factor * logits.shape[3]) and factor & (factor - 1) == 0
    if not exact or factor == 1:
        yield slice(0, logits.shape[0]), slice(0, size[0]), upsample(logits, size)
        return
    for number in range(logits.shape[0]):
        one = slice(number, number + 1)
        for rows, band in _bands(logits[one], factor, size[1]):
            yield one, rows, band


def _bands(logits: Tensor, factor: int, width: int) -> Iterator[tuple[slice, Tensor]]:
    """Rows of one image, and their logits at full size."""
    rows = max(1, BAND_BYTES // (factor * logits.shape[1] * width * logits.element_size()))
    for top in range(0, logits.shape[2], rows):
        bottom = min(top + rows, logits.shape[2])
        above, below = max(top - 2, 0), min(bottom + 2, logits.shape[2])
        band = upsample(logits[:, :, above:below], (factor * (below - above), width))
        yield slice(factor * top, factor * bottom), band[:, :, factor * (top - above) : factor * (bottom - above)]


def add_probabilities(total: Float[Tensor, "B K H W"], logits: Float[Tensor, "B K h w"], *, flipped: bool) -> None:
    """Add the softmax over classes of logits, resized to the size of `total`, in bands of rows.

    Args:
        total: Sums of probabilities, changed in place.
        logits: At any size.
        flipped: The logits are those of mirrored images, and are mirrored back.
    """
    size = (total.shape[2], total.shape[3])
    full = upsample(logits.float(), size)
    rows = max(1, BAND_BYTES // (full.shape[0] * full.shape[1] * size[1] * full.element_size()))
    for top in range(0, size[0], rows):
        band = full[:, :, top : top + rows].softmax(1)
        total[:, :, top : top + rows] += band.flip(3) if flipped else band


@runtime_checkable
class Rows(Protocol):
    """Something like a tensor (B, C, h, w), of which rows are taken by `[..., rows, columns]`."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(B, C, h, w)."""

    def __getitem__(self, part: Any, /) -> Tensor:
        """The part."""


def resize_band(source: Tensor | Rows, size: tuple[int, int], rows: slice) -> Float[Tensor, "B C band W"]:
    """Some rows of what `upsample(source, size)` gives, up to rounding; only the rows it needs are taken.

    Args:
        source: A tensor (B, C, h, w), or what gives its rows.
        size: Height and width of the whole result.
        rows: Which of its rows.
    """
    height, width = source.shape[2], source.shape[3]
    place = (torch.arange(rows.start, rows.stop, dtype=torch.float64) + 0.5) * (height / size[0]) - 0.5
    place = place.clamp(0, height - 1)
    above = place.floor().long()
    below = (above + 1).clamp(max=height - 1)
    first = int(above[0])
    taken = source[..., first : int(below[-1]) + 1, slice(0, width)].float()
    weight = (place - above).to(taken)[:, None]
    above, below = (above - first).to(taken.device), (below - first).to(taken.device)
    band = torch.lerp(taken[:, :, above], taken[:, :, below], weight)
    return upsample(band, (band.shape[2], size[1]))
