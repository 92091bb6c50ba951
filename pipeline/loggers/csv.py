"""The local log: one CSV file per run, complete after every step, continued when a run is resumed."""

from __future__ import annotations

import csv
import logging
import math
from argparse import Namespace
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import Logger
from lightning_utilities.core.rank_zero import rank_zero_only

from foveate.pipeline.files import replacing


class CsvLog(Logger):
    """Write every metric to `metrics.csv`, one row per step; a field is empty if its metric was not logged.

    Args:
        folder: The run directory.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder
        self.path = folder / "metrics.csv"
        self._fields: list[str] = []

    @property
    def name(self) -> str:
        """Name of the log."""
        return ""

    @property
    def version(self) -> str:
        """The run's number."""
        return self.folder.name

    @property
    def save_dir(self) -> str:
        """The run directory."""
        return str(self.folder)

    @property
    def log_dir(self) -> str:
        """The run directory."""
        return str(self.folder)

    @rank_zero_only
    def log_hyperparams(self, params: dict[str, Any] | Namespace, *args: Any, **kwargs: Any) -> None:
        """Do nothing: the recipe is saved beside the log."""

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Append a row."""
        row = {"step": step, **{name: _plain(value) for name, value in metrics.items()}}
        if not self._fields:
            self._fields = self._read_fields()
        fresh = [name for name in row if name not in self._fields]
        if fresh:
            self._widen(fresh)
        with self.path.open("a", newline="", encoding="utf-8") as file:
            csv.DictWriter(file, self._fields).writerow(row)

    def _read_fields(self) -> list[str]:
        """The columns so far; an incomplete last line (after a crash) gets a line end, so the next row is separate."""
        if not self.path.is_file():
            return []
        content = self.path.read_bytes()
        if content and not content.endswith(b"\n"):
            with self.path.open("ab") as file:
                file.write(b"\n")
        return next(csv.reader(_lines(content)), [])

    def _widen(self, fresh: list[str]) -> None:
        """Add columns: write all rows to a temporary file, which then replaces the log."""
        self._fields += fresh
        rows = read_log(self.path)
        with replacing(self.path) as draft, draft.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, self._fields)
            writer.writeheader()
            writer.writerows(rows)


def read_log(path: Path) -> list[dict[str, str]]:
    """The rows of a log that can be read; none if there is no file.

    Damaged lines (a repeated heading, an incomplete line, invalid UTF-8) are left out, with one warning per file.

    Args:
        path: A file that `CsvLog` wrote.
    """
    if not path.is_file():
        return []
    heading, *lines = list(csv.reader(_lines(path.read_bytes()))) or [[]]
    rows = [dict(zip(heading, line, strict=True)) for line in lines if _is_row(line, heading)]
    if len(rows) < len(lines):
        _warn_once(path, len(lines) - len(rows))
    return rows


def _lines(content: bytes) -> list[str]:
    return content.decode("utf-8", errors="replace").replace("\0", "\ufffd").splitlines()


def _is_row(line: list[str], heading: list[str]) -> bool:
    return len(line) == len(heading) and line != heading and not any("\ufffd" in cell for cell in line)


@cache
def _warn_once(path: Path, count: int) -> None:
    logging.getLogger(__name__).warning("foveate: %s: %d damaged lines were left out", path, count)


def _plain(value: float) -> float | str:
    number = float(value)
    return "nan" if math.isnan(number) else number
