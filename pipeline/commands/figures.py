"""Writes the figures of a command as JSON, to a file or to standard output."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from foveate.datasets.errors import DataError
from foveate.datasets.files.writing import write_whole
from foveate.plugins.output import print_json, to_json

STDOUT = "-"


def write_figures(figures: Mapping[str, Any], target: str) -> None:
    """Write figures as JSON, with the version of their schema before them.

    Args:
        figures: What JSON can hold.
        target: A file, or `-` for standard output.

    Raises:
        DataError: The file cannot be written.
    """
    if target == STDOUT:
        print_json(figures)
        return
    text = to_json(figures) + "\n"
    try:
        write_whole(Path(target).expanduser(), text.encode())
    except OSError as error:
        raise DataError(f"{target}: cannot be written: {error}") from error
