"""Upsampling of logits from a model's stride to full size, or directly to the class of each pixel."""

from __future__ import annotations

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
    factor = size[0] // logits.shape[2]
    exact = size == (factor * logits.shape[2], factor * logits.shape[3]) and factor & (factor - 1) == 0
    if not exact or factor == 1:
        return classify(upsample(logits, size))
    out = torch.empty(logits.shape[0], *size, dtype=torch.int64, device=logits.device)
    for number in range(logits.shape[0]):
        _fill(out[number : number + 1], logits[number : number + 1], factor)
    return out


def _fill(out: Tensor, logits: Tensor, factor: int) -> None:
    rows = max(1, BAND_BYTES // (factor * logits.shape[1] * out.shape[2] * logits.element_size()))
    for top in range(0, logits.shape[2], rows):
        bottom = min(top + rows, logits.shape[2])
        above, below = max(top - 2, 0), min(bottom + 2, logits.shape[2])
        band = upsample(logits[:, :, above:below], (factor * (below - above), out.shape[2]))
        kept = band[:, :, factor * (top - above) : factor * (bottom - above)]
        out[:, factor * top : factor * bottom] = classify(kept)
