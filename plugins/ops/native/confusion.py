"""Python interface of the native kernel that counts pairs of label and prediction."""

from __future__ import annotations

import torch
from jaxtyping import Int64, Integer
from torch import Tensor

from foveate.plugins.ops.native.compiled import call, kernels

TYPES = (torch.uint8, torch.int16, torch.int32, torch.int64)
NO_LABEL = -(2**63)  # stands for none that is left out


def takes(prediction: Tensor, labels: Tensor) -> bool:
    """Whether the kernel is available and supports these numbers: on the CPU, of 8 (unsigned), 16, 32 or 64 bits."""
    given = (prediction, labels)
    return all(one.device.type == "cpu" and one.dtype in TYPES for one in given) and kernels() is not None


def count_pairs(
    prediction: Integer[Tensor, " N"], labels: Integer[Tensor, " N"], num_classes: int, ignore: int | None
) -> Int64[Tensor, "rows columns"]:
    """How often each label meets each prediction.

    Args:
        prediction: Numbers of classes.
        labels: Numbers of classes, or `ignore`.
        num_classes: Number of classes K.
        ignore: The label that is left out; None where there is none.

    Returns:
        Of shape (K + 2, K + 1): in rows the K classes, labels that are none, and those left out; in columns the K
        classes, and predictions that are none.
    """
    counts = torch.zeros(num_classes + 2, num_classes + 1, dtype=torch.long)
    left_out = NO_LABEL if ignore is None else ignore
    sizes = (prediction.numel(), num_classes, left_out, prediction.element_size(), labels.element_size())
    call("count_confusion", sizes, prediction.contiguous(), labels.contiguous(), counts)
    return counts
