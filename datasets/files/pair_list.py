"""Millions of pairs in little memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import overload

import numpy as np
from numpy.typing import NDArray

from foveate.datasets.files.packed_strings import Names
from foveate.datasets.files.pairs import Pair

SEPARATOR = "\0"  # between the files of one mask


class PairList(Sequence[Pair]):
    """Pairs below one folder, kept as bytes; each is made when it is asked for.

    Args:
        root: What the names are relative to.
        images: Name of each image, with `/`.
        labels: Name of each label map; several names with a NUL between them for one file per class, of which the first
            is the name that messages show.
    """

    def __init__(self, root: Path, images: Sequence[str], labels: Sequence[str]) -> None:
        self.root = root
        self._images, self._labels = Names(images), Names(labels)
        self._chosen: NDArray[np.int64] | None = None

    def select(self, indices: NDArray[np.int64]) -> PairList:
        """Some of the pairs, in the order given; the names are shared, not copied.

        Args:
            indices: Their positions.
        """
        some = PairList.__new__(PairList)
        some.root, some._images, some._labels = self.root, self._images, self._labels
        some._chosen = indices if self._chosen is None else self._chosen[indices]
        return some

    def __len__(self) -> int:
        return len(self._images) if self._chosen is None else len(self._chosen)

    @overload
    def __getitem__(self, index: int) -> Pair: ...
    @overload
    def __getitem__(self, index: slice) -> PairList: ...
    def __getitem__(self, index: int | slice) -> Pair | PairList:
        if isinstance(index, slice):
            return self.select(np.arange(len(self), dtype=np.int64)[index])
        place = range(len(self))[index]
        number = place if self._chosen is None else int(self._chosen[place])
        label, *parts = self._labels[number].split(SEPARATOR)
        root = self.root
        return Pair(root / self._images[number], root / label, tuple(root / part for part in parts))

    def __iter__(self) -> Iterator[Pair]:
        return (self[index] for index in range(len(self)))

    def image_names(self) -> Iterator[str]:
        """Name of each image, relative to the root."""
        numbers = range(len(self._images)) if self._chosen is None else self._chosen
        return (self._images[int(number)] for number in numbers)
