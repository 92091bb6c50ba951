"""Counts of each unit of a data set (an image, or a group of images), and their sums over resampled units."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
CHUNK = 2**22  # numbers held at once: 32 MB


@runtime_checkable
class Counts(Protocol):
    """Counts of n units in C columns. Figures are computed from their sums over units."""

    def __len__(self) -> int:
        """How many units."""

    def total(self) -> Array:
        """The sums (C,) over all units."""

    def weighted(self, weights: Array) -> Array:
        """The sums (draws, C) over units with weights.

        Args:
            weights: Of each unit in each draw, (draws, n).
        """

    def without_each(self) -> Iterator[Array]:
        """The sums (some, C) over all units but one, for each unit in order, some at a time."""


@dataclass(frozen=True)
class DenseCounts:
    """Counts as a matrix.

    Attributes:
        rows: Of each unit, (n, C).
    """

    rows: Array

    def __len__(self) -> int:
        return len(self.rows)

    def total(self) -> Array:
        """The sums (C,) over all units."""
        return np.asarray(self.rows.sum(0))

    def weighted(self, weights: Array) -> Array:
        """The sums (draws, C) over units with weights.

        Args:
            weights: Of each unit in each draw, (draws, n).
        """
        return np.asarray(weights @ self.rows)

    def without_each(self) -> Iterator[Array]:
        """The sums (some, C) over all units but one, for each unit in order, some at a time."""
        total, size = self.total(), chunk_size(self.rows.shape[1])
        for begin in range(0, len(self.rows), size):
            yield total - self.rows[begin : begin + size]


@dataclass(frozen=True)
class SparseCounts:
    """Counts of which nearly all are 0, such as the class of each of many images.

    Attributes:
        units: Number of the unit of each entry, ascending.
        columns: Column of each entry.
        values: What the entry counts.
        shape: How many units and columns.
    """

    units: NDArray[np.int64]
    columns: NDArray[np.int64]
    values: Array
    shape: tuple[int, int]

    def __len__(self) -> int:
        return self.shape[0]

    def total(self) -> Array:
        """The sums (C,) over all units."""
        return np.asarray(np.bincount(self.columns, self.values, self.shape[1]), dtype=np.float64)

    def weighted(self, weights: Array) -> Array:
        """The sums (draws, C) over units with weights.

        Args:
            weights: Of each unit in each draw, (draws, n).
        """
        return np.stack([np.bincount(self.columns, row[self.units] * self.values, self.shape[1]) for row in weights])

    def without_each(self) -> Iterator[Array]:
        """The sums (some, C) over all units but one, for each unit in order, some at a time."""
        (count, width), total = self.shape, self.total()
        size = chunk_size(width)
        for begin in range(0, count, size):
            end = min(begin + size, count)
            first, last = np.searchsorted(self.units, [begin, end])
            places = (self.units[first:last] - begin) * width + self.columns[first:last]
            own = np.bincount(places, self.values[first:last], (end - begin) * width)
            yield total - own.reshape(-1, width)


def chunk_size(width: int) -> int:
    """How many rows of a width are held at once.

    Args:
        width: Numbers in a row.
    """
    return max(1, CHUNK // max(1, width))


def number_groups(groups: Sequence[str]) -> NDArray[np.int64]:
    """The number of each image's group, groups in the order of their names.

    Args:
        groups: The group of each image.
    """
    return np.unique(np.asarray(groups, dtype=object).astype(str), return_inverse=True)[1].astype(np.int64)


def count_dense(rows: NDArray[Any], groups: Sequence[str] = ()) -> DenseCounts:
    """Counts of images, or of their groups.

    Args:
        rows: Of each image, (n, C).
        groups: The group of each image; empty where each image is a unit.

    Example:
        >>> count_dense(np.array([[1, 2], [3, 4], [5, 6]]), ["a", "b", "a"]).rows.tolist()
        [[6.0, 8.0], [3.0, 4.0]]
    """
    if not groups:
        return DenseCounts(rows.astype(np.float64))
    numbers = number_groups(groups)
    sums = np.zeros((int(numbers.max()) + 1, rows.shape[1]))
    np.add.at(sums, numbers, rows)
    return DenseCounts(sums)


def count_sparse(columns: NDArray[np.int64], values: Array, width: int, groups: Sequence[str] = ()) -> SparseCounts:
    """Counts of images, or of their groups, of which each image has the same small number of entries.

    Args:
        columns: The columns of each image's entries, (n, entries).
        values: What they count, (n, entries).
        width: How many columns there are.
        groups: The group of each image; empty where each image is a unit.
    """
    units = number_groups(groups) if groups else np.arange(len(columns), dtype=np.int64)
    order = np.argsort(units, kind="stable")
    count = int(units.max()) + 1 if len(units) else 0
    entries = np.repeat(units[order], columns.shape[1])
    return SparseCounts(entries, columns[order].ravel(), values[order].ravel(), (count, width))
