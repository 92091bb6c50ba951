"""From logits at a model's stride to full size, or straight to the class of each pixel."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor

BAND_BYTES = 8 << 20  # of full-size logits at a time


def upsample(logits: Float[Tensor, "B K h w"], size: tuple[int, int]) -> Float[Tensor, "B K H W"]:
    """Logits at the image's size, as a segmenter gives them."""
    if logits.shape[2:] == size:
        return logits
    return F.interpolate(logits, size=size, mode="bilinear", align_corners=False)


def classify(logits: Float[Tensor, "B K H W"]) -> Int64[Tensor, "B H W"]:
    """The class of each pixel, the first among equals: `argmax(1)`, whose kernel takes several times as long."""
    return logits.max(1).indices


def classify_upsampled(logits: Float[Tensor, "B K h w"], size: tuple[int, int]) -> Int64[Tensor, "B H W"]:
    """The same as `classify(upsample(logits, size))`, without the full-size logits where the factor is a power of two.

    Those are many times the image, and to write and read them takes as long as much of the network. A band of rows
    is resized with two source rows more on either side, so that its own rows see the neighbours they would see; with
    another factor the places between source rows would be rounded otherwise than in the whole.

    Args:
        logits: At the model's stride.
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
