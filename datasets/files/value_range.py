"""Values of more than 8 bits as bytes."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Shaped, UInt8
from numpy.typing import NDArray

Range = tuple[float, float]  # the values that become 0 and 255
Values = Shaped[np.ndarray, "*shape"]


class Extent(NamedTuple):
    """The values that occur in images.

    Attributes:
        low: The smallest.
        high: The largest.
        without: Share of the values that are NaN, infinite or no data.
    """

    low: float
    high: float
    without: float

    @property
    def span(self) -> Range:
        """The range that maps these values to bytes; floats and whole numbers from 0 to 1 take all of it."""
        low, high = (0.0, 1.0) if self.low >= 0 and self.high <= 1 else (self.low, self.high)
        return low, high if high > low else low + 1


def to_bytes(values: Values, span: Range, nodata: float | None = None) -> UInt8[np.ndarray, "*shape"]:
    """Values mapped linearly and rounded to 0-255; what is outside the range becomes 0 or 255.

    NaN and the file's value for no data become 0.

    Args:
        values: Whole numbers or floats.
        span: The values that become 0 and 255.
        nodata: The value that stands for no data, if the file names one.

    Example:
        >>> to_bytes(np.array([[100, 200, 300, 9000]], np.uint16), (100, 300)).tolist()
        [[0, 128, 255, 255]]
    """
    if values.dtype.kind in "iu" and values.dtype.itemsize <= 2:
        table = _table(values.dtype.str, span, nodata)
        return np.asarray(table[values.view(values.dtype.str.replace("i", "u"))])
    return _mapped(values, span, nodata)


@lru_cache(maxsize=16)
def _table(dtype: str, span: Range, nodata: float | None) -> NDArray[np.uint8]:
    """The byte of each value of a type, by the value's bits."""
    kind = np.dtype(dtype)
    bits = np.arange(1 << (8 * kind.itemsize), dtype=f"u{kind.itemsize}")
    return _mapped(bits.view(kind.newbyteorder("=")), span, nodata)


def _mapped(values: Values, span: Range, nodata: float | None) -> NDArray[np.uint8]:
    wide = values if values.dtype == np.float32 else values.astype(np.float64)
    low, high = span
    scaled = np.rint((wide - low) * 255 / (high - low)).clip(0, 255)
    scaled[_is_missing(values, nodata)] = 0
    return scaled.astype(np.uint8)


def _is_missing(values: Values, nodata: float | None) -> NDArray[np.bool_]:
    """Which values are NaN or no data."""
    missing: NDArray[np.bool_] = np.isnan(values) if values.dtype.kind == "f" else np.zeros(values.shape, dtype=bool)
    return missing if nodata is None else missing | (values == values.dtype.type(nodata))


def measure(images: Iterable[tuple[Values, float | None]]) -> Extent:
    """The smallest and largest value of images, without NaN, infinities and no data.

    Args:
        images: Values of each image, and what stands for no data in it.
    """
    low, high, missing, total = np.inf, -np.inf, 0, 0
    for values, nodata in images:
        known = values[np.isfinite(values) & ~_is_missing(values, nodata)]
        missing, total = missing + values.size - known.size, total + values.size
        if known.size:
            low, high = min(low, float(known.min())), max(high, float(known.max()))
    return Extent(low, high, missing / max(1, total)) if low <= high else Extent(0.0, 0.0, 1.0)


def count_outside(values: Values, span: Range, nodata: float | None = None) -> int:
    """How many values lie outside a range, so that mapping clips them.

    Args:
        values: Whole numbers or floats.
        span: The values that become 0 and 255.
        nodata: The value that stands for no data.

    Example:
        >>> count_outside(np.array([[1, 5, 9]]), (2, 8))
        2
    """
    outside: Any = ((values < span[0]) | (values > span[1])) & ~_is_missing(values, nodata)
    return int(outside.sum())
