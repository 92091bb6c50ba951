"""Cross-validation: one of several parts of the training images is left out, and validated on."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from foveate.datasets.errors import DataConfigError, DataError

WRITTEN = re.compile(r"(\d+)/(\d+)")
Indices = NDArray[np.int64]


@dataclass(frozen=True)
class Fold:
    """One of several equal parts.

    Attributes:
        number: Which, from 1.
        count: Of how many.
    """

    number: int
    count: int

    def divide(self, groups: Sequence[str]) -> tuple[Indices, Indices]:
        """Positions of the images to train on, and of those that are left out.

        The groups are dealt out in the order of a hash of their names, so that each is in exactly one part, whatever
        order the files have.

        Args:
            groups: The group of each image.

        Raises:
            DataError: There are fewer groups than parts.
        """
        names = sorted(set(groups), key=_hash)
        if len(names) < self.count:
            raise DataError(f"{len(names)} images, or groups of them, do not fill {self.count} folds; give fewer")
        out = set(names[self.number - 1 :: self.count])
        is_out = np.array([group in out for group in groups], dtype=bool)
        return np.flatnonzero(~is_out), np.flatnonzero(is_out)


def _hash(group: str) -> bytes:
    return hashlib.blake2b(group.encode("utf-8", "surrogateescape")).digest()


def parse_fold(text: str | None) -> Fold | None:
    """A fold from NUMBER/COUNT; None if there is no text.

    Args:
        text: Such as 2/5.

    Raises:
        DataConfigError: It is not written so.

    Example:
        >>> parse_fold("2/5")
        Fold(number=2, count=5)
    """
    if text is None:
        return None
    found = WRITTEN.fullmatch(text.strip())
    if found is None or not 1 <= int(found[1]) <= int(found[2]) or int(found[2]) < 2:
        raise DataConfigError(f"fold is NUMBER/COUNT, such as 2/5, with a count of 2 or more, not {text!r}")
    return Fold(int(found[1]), int(found[2]))
