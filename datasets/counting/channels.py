"""Mean and standard deviation of images per channel, exactly."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64, Int64, UInt8

from foveate.datasets.counting.values import count_values

LEVELS = np.arange(256, dtype=np.float64)


def count_levels(image: UInt8[np.ndarray, "H W C"]) -> Int64[np.ndarray, "C 256"]:
    """How often each byte occurs in each channel.

    Args:
        image: Bytes.
    """
    return np.stack([count_values(image[..., channel]) for channel in range(image.shape[2])])


def channel_moments(
    levels: Int64[np.ndarray, "C 256"],
) -> tuple[Float64[np.ndarray, " C"], Float64[np.ndarray, " C"]]:
    """Mean and standard deviation of each channel, for images in 0-1.

    Args:
        levels: How often each byte occurs in each channel, over all images.

    Example:
        >>> mean, std = channel_moments(count_levels(np.array([[[0], [255]]], dtype=np.uint8)))
        >>> mean.tolist(), std.tolist()
        ([0.5], [0.5])
    """
    totals = levels.sum(axis=1)
    means = levels @ LEVELS / totals
    variances = (levels * (LEVELS - means[:, None]) ** 2).sum(axis=1) / totals
    return means / 255, np.sqrt(variances) / 255
