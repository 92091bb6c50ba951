"""Writes the figures of a command as JSON, to a file or to standard output."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from foveate.datasets.errors import DataError
from foveate.datasets.files.writing import write_whole

STDOUT = "-"


def write_figures(figures: Mapping[str, Any], target: str) -> None:
    """Write figures as JSON.

    Args:
        figures: What JSON can hold.
        target: A file, or `-` for standard output.

    Raises:
        DataError: The file cannot be written.
    """
    text = json.dumps(figures, indent=1) + "\n"
    if target == STDOUT:
        print(text, end="")
        return
    try:
        write_whole(Path(target).expanduser(), text.encode())
    except OSError as error:
        raise DataError(f"{target}: cannot be written: {error}") from error
