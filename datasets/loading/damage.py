"""Damaged files that a training skips: what is read instead, and what is told of them."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from foveate.datasets.files.writing import write_whole
from foveate.datasets.text import few

log = logging.getLogger(__name__)

TRIES = 20  # samples in a row that may be damaged
SHOWN = 10  # files named in a line


def instead_of(index: int, seed: int, count: int) -> Iterator[int]:
    """The sample itself, then others that may take its place; the same in any process.

    Args:
        index: Number of the sample.
        seed: The sample's own, which differs between epochs.
        count: How many samples there are.

    Example:
        >>> next(instead_of(3, seed=0, count=10))
        3
    """
    yield index
    yield from map(int, np.random.default_rng([seed, index]).integers(count, size=TRIES))


class DamageLog:
    """Counts the damaged files that batches tell of, and lists them at the end of an epoch.

    Args:
        listing: File for the whole list, if a line cannot hold it.
    """

    def __init__(self, listing: Path | None = None) -> None:
        self._faults: Counter[str] = Counter()
        self._listing = listing

    def see(self, batch: Mapping[str, Any]) -> None:
        """Count the faults that a batch tells of.

        Args:
            batch: Of training samples.
        """
        self._faults.update(fault for faults in batch.get("faults", ()) for fault in faults.splitlines())

    def tell(self) -> None:
        """List the faults since the last time, in one line."""
        if self._faults:
            log.warning(
                "skipped %d damaged files, %d times; other samples took their place: %s%s",
                len(self._faults),
                self._faults.total(),
                few(sorted(self._faults), SHOWN, separator="; "),
                self._list_all(),
            )
        self._faults.clear()

    def _list_all(self) -> str:
        """Write the whole list if the line is cut; says where."""
        if len(self._faults) <= SHOWN or self._listing is None:
            return ""
        try:
            text = "".join(f"{fault}\n" for fault in sorted(self._faults))
            write_whole(self._listing, text.encode("utf-8", "surrogateescape"))
        except OSError:
            return ""
        return f" (all in {self._listing})"
