"""From an image of any size to logits, probabilities or classes at that size."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor

from foveate.pipeline.engines.engine import Engine
from foveate.pipeline.inference.config import InferenceConfig
from foveate.pipeline.inference.scored import ScoredArea
from foveate.pipeline.inference.windows import Area, slide
from foveate.pipeline.models.segmenter import Segmenter
from foveate.pipeline.models.upsampling import add_probabilities, upsample, upsample_bands

TINY = torch.finfo(torch.float32).tiny  # its logarithm is finite, and so is a loss
Network = Callable[[Tensor], Tensor]
Check = Callable[[Tensor, int, Sequence[int | None]], Tensor]


def unchecked(logits: Tensor, images: int, size: Sequence[int | None]) -> Tensor:
    """Logits as they are.

    Args:
        logits: Of images.
        images: How many images.
        size: Height and width that are expected.
    """
    return logits


def infer(
    network: Network, image: Float[Tensor, "B C H W"], config: InferenceConfig, *, check: Check = unchecked
) -> Float[Tensor, "B K H W"]:
    """Logits of normalised images, at the size of the images; the logarithm of the mean probabilities of several views.

    Args:
        network: From normalised images to logits at their size.
        image: Normalised images.
        config: How they are put through the network.
        check: Gives logits back after a look at their shape; it is told the number of images, and the height and width
            that are expected, None for any.
    """
    size = image.shape[2], image.shape[3]
    if config.augments:
        return _infer_probabilities(network, image, config, check).clamp_(min=TINY).log_()
    (logits,) = (logits for logits, _ in _views(network, image, config, check))
    return upsample(logits, size)


def infer_classes(
    network: Network, image: Float[Tensor, "B C H W"], config: InferenceConfig, *, check: Check = unchecked
) -> Int64[Tensor, "B H W"]:
    """The class of each pixel of normalised images: the same as `infer(...).argmax(1)`, but faster.

    For whole images without padding, and in sliding windows, the full-size logits are never kept.

    Args:
        network: From normalised images to logits at their size.
        image: Normalised images.
        config: How they are put through the network.
        check: See `infer`.
    """
    out = torch.empty(len(image), *image.shape[2:], dtype=torch.int64, device=image.device)
    for area in infer_areas(network, image, config, check=check):
        out[area.images, area.rows, area.columns] = area.classes()
    return out


def infer_areas(
    network: Network, image: Float[Tensor, "B C H W"], config: InferenceConfig, *, check: Check = unchecked
) -> Iterator[ScoredArea]:
    """The scores of normalised images at their size, area by area; together the areas cover them once.

    Args:
        network: From normalised images to logits at their size.
        image: Normalised images.
        config: How they are put through the network.
        check: See `infer`.
    """
    images, size = len(image), (image.shape[2], image.shape[3])
    every, rows, columns = slice(0, images), slice(0, size[0]), slice(0, size[1])
    if config.augments:
        yield ScoredArea(every, rows, columns, _infer_probabilities(network, image, config, check), views=1)
        return
    resized = config.fitted(size, config.used_scales[0]) != size
    if config.mode == "slide" and not resized:
        for area in _windows_of(network, image, config):
            yield ScoredArea(every, area.rows, area.columns, check(area.logits, images, area.logits.shape[2:]))
        return
    unpadded = all(side % config.multiple_of == 0 for side in size)
    decode = coarse_decoder(network) if unpadded and not resized else None
    if decode is None:
        yield ScoredArea(every, rows, columns, infer(network, image, config, check=check))
        return
    for some, band, logits in upsample_bands(check(decode(image), images, (None, None)), size):
        yield ScoredArea(some, band, columns, logits)


def coarse_decoder(network: Network) -> Network | None:
    """What gives a segmenter's logits before they are resized to the image; None where the network does not resize."""
    if isinstance(network, Engine):
        return network.decode if network.coarse else None
    return network.decode if isinstance(network, Segmenter) and network.stride > 1 else None


def _infer_probabilities(network: Network, image: Tensor, config: InferenceConfig, check: Check) -> Tensor:
    """The mean over all views of the probabilities at the size of the images.

    Source:
        The multi-scale protocol of the segmentation papers: the mean softmax of the views, each resized to the image.
    """
    total: Tensor | None = None
    count = 0
    for logits, flipped in _views(network, image, config, check):
        if total is None:
            total = logits.new_zeros((*logits.shape[:2], *image.shape[2:]), dtype=torch.float32)
        add_probabilities(total, logits, flipped=flipped)
        count += 1
    assert total is not None
    return total.div_(count)


def _views(network: Network, image: Tensor, config: InferenceConfig, check: Check) -> Iterator[tuple[Tensor, bool]]:
    """The logits of each view at its own size, mirrored where the view was, and whether it was."""
    size = image.shape[2], image.shape[3]
    for scale in config.used_scales:
        yield from view_logits(network, upsample(image, config.fitted(size, scale)), config, check)


def view_logits(
    network: Network, image: Float[Tensor, "B C H W"], config: InferenceConfig, check: Check
) -> Iterator[tuple[Float[Tensor, "B K H W"], bool]]:
    """The logits of images at one scale, and of their mirror images if asked for; each with whether it was mirrored.

    Args:
        network: From normalised images to logits at their size.
        image: Normalised images, resized.
        config: How they are put through the network.
        check: See `infer`.
    """
    for flipped in (False, True) if config.flips else (False,):
        view = image.flip(3) if flipped else image
        yield check(_infer_view(network, view, config), len(image), view.shape[2:]), flipped


def _infer_view(network: Network, image: Tensor, config: InferenceConfig) -> Tensor:
    if config.mode == "whole":
        return _infer_whole(network, image, config.multiple_of)
    total: Tensor | None = None
    for rows, columns, logits in _windows_of(network, image, config):
        if total is None:
            total = logits.new_empty(*logits.shape[:2], *image.shape[2:])
        total[..., rows, columns] = logits
    assert total is not None
    return total


def _infer_whole(network: Network, image: Tensor, multiple_of: int) -> Tensor:
    height, width = image.shape[2:]
    bottom, right = -height % multiple_of, -width % multiple_of
    padded = F.pad(image, (0, right, 0, bottom)) if bottom or right else image
    return network(padded)[..., :height, :width]


def _windows_of(network: Network, image: Tensor, config: InferenceConfig) -> Iterator[Area]:
    def read(rows: slice, columns: slice) -> Tensor:
        return image[..., rows, columns]

    return slide(network, read, (image.shape[2], image.shape[3]), config)
