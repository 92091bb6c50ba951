"""Writes the figures of a command as JSON, to a file or to standard output."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from foveate.datasets.errors import DataError
from foveate.datasets.files.writing import write_whole

STDOUT = "-"
SCHEMA = 1  # of every JSON document; raised when a key is renamed, removed or means something else


def write_figures(figures: Mapping[str, Any], target: str) -> None:
    """Write figures as JSON, with `schema_version` before them.

    Args:
        figures: What JSON can hold.
        target: A file, or `-` for standard output.

    Raises:
        DataError: The file cannot be written.
    """
    text = to_json(figures) + "\n"
    if target == STDOUT:
        print(text, end="")
        return
    try:
        write_whole(Path(target).expanduser(), text.encode())
    except OSError as error:
        raise DataError(f"{target}: cannot be written: {error}") from error


def to_json(figures: Mapping[str, Any]) -> str:
    """Figures as a JSON document, with `schema_version` before them.

    Args:
        figures: What JSON can hold.

    Example:
        >>> print(to_json({"miou": 0.5}))
        {
         "schema_version": 1,
         "miou": 0.5
        }
    """
    return json.dumps({"schema_version": SCHEMA, **figures}, indent=1)
