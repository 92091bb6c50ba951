"""The local log: one CSV file per run, complete after every step, continued when a run is resumed."""

from __future__ import annotations

import csv
import io
import logging
import math
import os
import sys
from argparse import Namespace
from collections.abc import Mapping, Sequence
from contextlib import suppress
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
        self._waiting: list[dict[str, Any]] = []
        self._told = False  # that they wait

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
        """Append a row; if the disk is full or read-only, keep it and write it with a later one."""
        self._waiting.append({"step": step, **{name: _plain(value) for name, value in metrics.items()}})
        self.write()

    @rank_zero_only
    def finalize(self, status: str) -> None:
        """Write what could not be written before; say what is missing."""
        self.write()
        if self._waiting:
            _say(f"{self.path}: the last {len(self._waiting)} rows could not be written and are lost")

    def write(self) -> None:
        """Write all rows that wait."""
        if not self._waiting:
            return
        try:
            self._append()
        except OSError as error:
            if not self._told:
                _say(f"{self.path} cannot be written ({error}); rows are kept in memory and written when it works")
            self._told = True
            return
        self._waiting.clear()
        self._told = False

    def _append(self) -> None:
        if not self._fields:
            self._fields = self._read_fields()
        named = dict.fromkeys(name for row in self._waiting for name in row)
        fresh = [name for name in named if name not in self._fields]
        if fresh:
            self._widen(fresh)
            return
        text = io.StringIO(newline="")
        csv.DictWriter(text, self._fields).writerows(self._waiting)
        _append_whole(self.path, text.getvalue().encode())

    def _read_fields(self) -> list[str]:
        """The columns so far; an incomplete last line (after a crash) gets a line end, so the next row is separate."""
        if not self.path.is_file():
            return []
        content = self.path.read_bytes()
        if content and not content.endswith(b"\n"):
            _append_whole(self.path, b"\n")
        return next(csv.reader(_lines(content)), [])

    def _widen(self, fresh: Sequence[str]) -> None:
        """Add columns: write all rows to a temporary file, which then replaces the log."""
        fields = [*self._fields, *fresh]
        rows = [*read_log(self.path), *self._waiting]
        with replacing(self.path) as draft, draft.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, fields)
            writer.writeheader()
            writer.writerows(rows)
        self._fields = fields


def _append_whole(path: Path, content: bytes) -> None:
    """Append to a file; if that fails midway, cut the file back to what it was."""
    with path.open("ab", buffering=0) as file:
        before = file.seek(0, os.SEEK_END)
        try:
            written = 0
            while written < len(content):  # a nearly full disk takes a part
                written += file.write(content[written:]) or 0
        except OSError:
            with suppress(OSError):
                file.truncate(before)
            raise


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


def _say(text: str) -> None:
    print(f"foveate: warning: {text}", file=sys.stderr, flush=True)
