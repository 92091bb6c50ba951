"""Python interface of the native kernel that counts probabilities by bins."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float, Int64, Integer
from torch import Tensor

from foveate.plugins.ops.native.compiled import call, kernels

FLOAT_DIGITS = 127  # the exponent of 1 in a float32


class CalibrationCounts(NamedTuple):
    """Count, right ones and sum of confidences (in units of 1 / one) by bin."""

    top: Int64[Tensor, "bins 3"]
    fine: Int64[Tensor, "F 3"]
    large: Int64[Tensor, "K bins 3"]
    mass: Int64[Tensor, " K"]
    labelled: Int64[Tensor, " K"]


def takes(logits: Tensor) -> bool:
    """Whether the kernel is available and supports these logits: on the CPU, some of them."""
    return logits.device.type == "cpu" and logits.numel() > 0 and kernels() is not None


def count_calibration(
    logits: Float[Tensor, "K N"],
    labels: Integer[Tensor, " N"],
    *,
    bins: int,
    octaves: int,
    digits: int,
    one: int,
    ignore: int,
) -> CalibrationCounts:
    """Count the probabilities of pixels by bins: the largest, and of each class those above the lowest bin.

    Args:
        logits: Of the pixels.
        labels: Their classes.
        bins: Equal parts of [0, 1].
        octaves: Halvings of one minus the largest probability.
        digits: Each halving has 2 ** digits fine bins; one more is below them.
        one: Confidences are summed in units of 1 / one.
        ignore: The label that is left out.
    """
    classes, pixels = logits.shape
    fine = octaves * 2**digits + 1
    shapes = (bins, 3), (fine, 3), (classes, bins, 3), (classes,), (classes,)
    counts = CalibrationCounts(*(torch.zeros(shape, dtype=torch.int64) for shape in shapes))
    sizes = classes, pixels, bins, fine, digits, (FLOAT_DIGITS - octaves) * 2**digits, ignore
    logits, labels = logits.detach().float().contiguous(), labels.to(torch.int32).contiguous()
    call("count_calibration", sizes, logits, labels, *counts, float(one))
    return counts
