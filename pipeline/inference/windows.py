"""Sliding windows, whose overlapping logits are averaged without keeping those of the whole image."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from foveate.pipeline.inference.config import InferenceConfig, Size, WindowWeights
from foveate.plugins.errors import PluginError

GAUSSIAN = 1 / 8  # standard deviation of gaussian weights, as a share of the window's side
Read = Callable[[slice, slice], Tensor]  # rows and columns -> normalised images (B, C, h, w)


class Area(NamedTuple):
    """A part of the images, and its averaged logits.

    Attributes:
        rows: Its rows.
        columns: Its columns.
        logits: Shape (B, K, rows, columns).
    """

    rows: slice
    columns: slice
    logits: Tensor


def slide(network: Callable[[Tensor], Tensor], read: Read, size: Size, config: InferenceConfig) -> Iterator[Area]:
    """The averaged logits of images, area by area from top left to bottom right; together the areas cover them once.

    What is kept at a time are the logits of a window, and of the rows in which the next windows overlap these.

    Args:
        network: From normalised images to logits at their size.
        read: Gives a window of the images.
        size: Height and width of the images.
        config: Size, stride and weights of the windows.

    Raises:
        PluginError: The logits of a window have another height or width.
    """
    lengths = (min(config.size[0], size[0]), min(config.size[1], size[1]))
    tops, lefts = starts(size[0], config.size[0], config.stride[0]), starts(size[1], config.size[1], config.stride[1])
    down, across = (weights_along(length, config.window_weights) for length in lengths)
    norms = _total(tops, down, size[0]), _total(lefts, across, size[1])
    kept: Tensor | None = None  # sums of the rows that the next band of windows overlaps
    for top, next_top in _with_next(tops, size[0]):
        band = slice(top, top + lengths[0])
        waiting: Tensor | None = None
        for columns, sums in _slide_across(network, read, band, lefts, size[1], (down, across)):
            if kept is not None:
                sums[:, :, : kept.shape[2]] += kept[..., columns]
            rows = slice(top, next_top)
            norm = norms[0][rows, None] * norms[1][columns]
            yield Area(rows, columns, sums[:, :, : next_top - top] / norm.to(sums))
            if next_top < band.stop:
                rest = sums[:, :, next_top - top :]
                if waiting is None:
                    waiting = rest.new_empty(*rest.shape[:3], size[1])
                waiting[..., columns] = rest
        kept = waiting


def _slide_across(
    network: Callable[[Tensor], Tensor],
    read: Read,
    band: slice,
    lefts: list[int],
    width: int,
    weights: tuple[Tensor, Tensor],
) -> Iterator[tuple[slice, Tensor]]:
    """The weighted sums of the windows of one band, in columns that no further window of it covers."""
    down, across = weights
    kept: Tensor | None = None
    for left, next_left in _with_next(lefts, width):
        sums = _weighted(network, read(band, slice(left, left + len(across))), down, across)
        if kept is not None:
            sums[..., : kept.shape[3]] += kept
        yield slice(left, next_left), sums[..., : next_left - left]
        kept = sums[..., next_left - left :] if next_left - left < len(across) else None


def _weighted(network: Callable[[Tensor], Tensor], window: Tensor, down: Tensor, across: Tensor) -> Tensor:
    logits = network(window)
    if logits.shape[2:] != window.shape[2:]:  # broadcasting would spread them
        raise PluginError(f"logits of a window of {tuple(window.shape[2:])} have shape {tuple(logits.shape)}")
    weight = (down[:, None] * across).to(logits.device)
    return logits.float() * weight  # a tensor of its own, to which is added


def _with_next(positions: list[int], length: int) -> Iterator[tuple[int, int]]:
    """Each start with the next one; the last with the end."""
    return zip(positions, [*positions[1:], length], strict=True)


def weights_along(length: int, kind: WindowWeights) -> Float[Tensor, " n"]:
    """The weights along one side of a window, largest in its middle and above 0.

    Args:
        length: Of the side, in pixels.
        kind: uniform, linear or gaussian (standard deviation: an eighth of the side).

    Example:
        >>> weights_along(4, "linear").tolist()
        [0.5, 1.0, 1.0, 0.5]
    """
    if kind == "uniform":
        return torch.ones(length)
    place = torch.arange(length, dtype=torch.float64) - (length - 1) / 2
    if kind == "linear":
        weights = (length + 1) / 2 - place.abs()
        return (weights / weights.max()).float()
    return torch.exp(-0.5 * (place / (GAUSSIAN * length)) ** 2).float()


def _total(positions: list[int], weights: Tensor, length: int) -> Tensor:
    """The sum of the weights of all windows at each position along a side."""
    total = torch.zeros(length, dtype=torch.float64)
    for start in positions:
        total[start : start + len(weights)] += weights
    return total


def windows(size: Size, window: Size, stride: Size) -> Iterator[tuple[slice, slice]]:
    """Windows that cover an area. The last ones are moved inward; a window larger than the area is cropped to it.

    Args:
        size: Height and width of the area.
        window: Height and width of a window.
        stride: Step between windows, down and across.

    Example:
        >>> [(r.start, c.start) for r, c in windows((1024, 2048), (1024, 1024), (768, 768))]
        [(0, 0), (0, 768), (0, 1024)]
    """
    for top in starts(size[0], window[0], stride[0]):
        for left in starts(size[1], window[1], stride[1]):
            yield slice(top, min(top + window[0], size[0])), slice(left, min(left + window[1], size[1]))


def starts(length: int, window: int, stride: int) -> list[int]:
    """Where windows start along a side.

    Args:
        length: Of the side.
        window: Of a window.
        stride: Step between windows.
    """
    last = max(length - window, 0)
    return [*range(0, last, stride), last]
