"""A table of the shares of each class in images, which grows image by image and survives an interruption."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from foveate.pipeline.files import replacing

NAME = "shares.csv"


class ShareTable:
    """`<out>/shares.csv`: path, and the share of the pixels of each class, 0 to 1.

    Rows are added to a part of each process, and merged at the end.

    Args:
        out: The folder.
        classes: Names of the classes.
        rank: Number of the process.
    """

    def __init__(self, out: Path, classes: Sequence[str], rank: int = 0) -> None:
        self.file, self.classes, self.rank = out / NAME, list(classes), rank

    def add(self, path: str, train_ids: NDArray[np.uint8]) -> None:
        """Add the row of an image.

        Args:
            path: Of the image.
            train_ids: The class of each pixel.
        """
        counts = np.bincount(train_ids.ravel(), minlength=len(self.classes))[: len(self.classes)]
        self.file.parent.mkdir(parents=True, exist_ok=True)
        with self._part(self.rank).open("a", newline="", encoding="utf-8") as part:
            csv.writer(part).writerow([path, *(f"{count / train_ids.size:.6f}" for count in counts)])

    def known(self) -> set[str]:
        """The paths that have a row, also from an interrupted run."""
        return set(self._rows())

    def merge(self) -> None:
        """Write the table, in the order of the paths, and remove the parts; for one process, after all have ended."""
        rows = self._rows()
        with replacing(self.file) as draft, draft.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([["path", *self.classes], *(rows[path] for path in sorted(rows))])
        for part in self._parts():
            part.unlink()

    def clear(self) -> None:
        """Remove the table and its parts."""
        for file in (self.file, *self._parts()):
            file.unlink(missing_ok=True)

    def _part(self, rank: int) -> Path:
        return self.file.with_name(f".{NAME}.{rank}")

    def _parts(self) -> list[Path]:
        return sorted(self.file.parent.glob(f".{NAME}.*[0-9]"))

    def _rows(self) -> dict[str, list[str]]:
        """The complete rows of the table and of its parts; a row that a kill cut short is left out."""
        rows: dict[str, list[str]] = {}
        for source in (self.file, *self._parts()):
            if source.is_file():
                with source.open(newline="", encoding="utf-8") as file:
                    complete = (row for row in csv.reader(file) if len(row) == 1 + len(self.classes))
                    rows |= {row[0]: row for row in complete if row != ["path", *self.classes]}
        return rows
